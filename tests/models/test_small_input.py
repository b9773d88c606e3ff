import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from fer_perturb.errors import UserError
from fer_perturb.models.build import build_network, check_network
from fer_perturb.models.stages import feature_info, stages

NETWORKS = [
    "resnet_small",
    "resnet_tiny",
    "resnet10t",  # a stem of three convolutions
    "test_resnet",
    "test_convnext",
    "test_convnext2",
    "test_efficientnet",
    "test_efficientnet_gn",
    "test_byobnet",
    "test_mambaout",
    "test_nfnet",
    "convnext_atto",
    "densenet121",
    "dpn68",
    "mobilenetv3_small_050",
    "mobilenetv4_conv_small_035",
    "regnetx_002",
    "ese_vovnet19b_slim",
    "fastvit_t8",  # parallel branches in the stem
]


def last_map(network: nn.Module, side: int) -> tuple[int, Tensor]:
    """The side of the last stage's output, and the logits."""
    sides: list[int] = []
    stage = network.get_submodule(list(stages(network).values())[-1])
    nhwc = getattr(network, "output_fmt", "NCHW") == "NHWC"

    def note(module: nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
        first = output if isinstance(output, Tensor) else output[0]
        sides.append(first.shape[1 if nhwc else 2])

    with stage.register_forward_hook(note):
        logits = network(torch.rand(2, 1, side, side))
    return sides[0], logits


@pytest.mark.parametrize("name", NETWORKS)
def test_small_pictures_keep_a_map_and_every_parameter_learns(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(name, num_classes=5, small_input=True).train()
    for side, sides in ((48, {3}), (40, {2, 3})):
        network.zero_grad(set_to_none=True)
        found, logits = last_map(network, side)
        assert found in sides
        assert logits.shape == (2, 5)
        nn.functional.cross_entropy(logits, torch.tensor([0, 3])).backward()
        for key, parameter in network.named_parameters():
            assert parameter.grad is not None, key
            assert torch.isfinite(parameter.grad).all(), key


@pytest.mark.parametrize("name", ["test_vit", "test_vit4", "vit_tiny_patch16_224"])
def test_vision_transformers_get_finer_patches_and_take_other_sizes(name: str) -> None:
    network = build_network(name, num_classes=7, small_input=True)
    assert network.patch_embed.grid_size == (12, 12)
    for side in (48, 40, 50):
        check_network(network, (side, side))


def test_swin_is_halved() -> None:
    small = {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1)}
    network = build_network("swin_tiny_patch4_window7_224", num_classes=7, small_input=True, kwargs=small)
    assert [entry["reduction"] for entry in feature_info(network)] == [2, 4, 8, 16]
    assert last_map(network, 48)[0] == 3


def test_max_pooling_goes_first() -> None:
    network = build_network("resnet18", num_classes=7, small_input=True)
    assert isinstance(network.maxpool, nn.Identity)
    assert (network.conv1.kernel_size, network.conv1.stride) == ((7, 7), (2, 2))
    assert [entry["reduction"] for entry in feature_info(network)] == [2, 2, 4, 8, 16]


def test_then_the_first_convolution() -> None:
    network = build_network("resnet18", num_classes=7, small_input=True, image_size=(24, 24))
    assert isinstance(network.maxpool, nn.Identity)
    assert network.conv1.stride == (1, 1)
    assert [entry["reduction"] for entry in feature_info(network)] == [1, 1, 2, 4, 8]
    efficient = build_network("test_efficientnet", num_classes=7, small_input=True)
    assert efficient.conv_stem.stride == (1, 1)


def test_patches_stay_patches_and_all_other_weights_are_those_of_the_network() -> None:
    torch.manual_seed(3)
    plain = build_network("test_convnext", num_classes=7).state_dict()
    torch.manual_seed(3)
    network = build_network("test_convnext", num_classes=7, small_input=True)
    stem = network.stem[0]
    assert stem.kernel_size == stem.stride == (2, 2)
    for key, value in network.state_dict().items():
        expected = plain[key][:, :, :2, :2] if key == "stem.0.weight" else plain[key]
        assert torch.equal(value, expected), key
    assert stem.weight.requires_grad


@pytest.mark.parametrize(("name", "side"), [("test_resnet", 96), ("resnet_tiny", 48), ("test_convnext", 65)])
def test_nothing_changes_where_enough_is_left(name: str, side: int) -> None:
    torch.manual_seed(1)
    plain = build_network(name, num_classes=7)
    torch.manual_seed(1)
    fitted = build_network(name, num_classes=7, small_input=True, image_size=(side, side))
    assert str(plain) == str(fitted)
    assert feature_info(plain) == feature_info(fitted)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), fitted.parameters(), strict=True))


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(
    name=st.sampled_from(["test_resnet", "test_efficientnet", "test_byobnet"]),
    side=st.integers(12, 130),
    extra=st.integers(0, 20),
)
def test_any_size_leaves_three_pixels(name: str, side: int, extra: int) -> None:
    network = build_network(name, num_classes=3, small_input=True, image_size=(side + extra, side)).eval()
    found, logits = last_map(network, side)
    assert found >= 3
    assert found == -(-side // feature_info(network)[-1]["reduction"])  # feature_info tells the truth
    assert torch.isfinite(logits).all()


def test_training_mode_and_random_stream_are_as_without() -> None:
    torch.manual_seed(5)
    assert build_network("test_resnet", num_classes=7).training
    expected = torch.rand(3)
    torch.manual_seed(5)
    network = build_network("test_resnet", num_classes=7, small_input=True)
    assert torch.equal(torch.rand(3), expected)
    assert all(module.training for module in network.modules())
    assert network.bn1.num_batches_tracked == 0


def test_what_kwargs_say_stands() -> None:
    network = build_network("test_vit", num_classes=7, small_input=True, kwargs={"patch_size": 8})
    assert network.patch_embed.grid_size == (6, 6)


@pytest.mark.parametrize("name", ["coat_tiny", "levit_128s", "twins_svt_small"])
def test_a_network_that_cannot_be_fitted_is_refused_by_name(name: str) -> None:
    with pytest.raises(UserError, match=rf"model\.small_input: {name} cannot be fitted to pictures of 48x48"):
        build_network(name, num_classes=7, small_input=True)


def test_without_the_option_timm_is_as_it_is() -> None:
    torch.manual_seed(2)
    ours = build_network("test_resnet", num_classes=7)
    torch.manual_seed(2)
    timms = timm.create_model("test_resnet", num_classes=7, in_chans=1)
    assert str(ours) == str(timms)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), timms.parameters(), strict=True))
