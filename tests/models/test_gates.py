import copy
import gc

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from fer_perturb.errors import UserError
from fer_perturb.models.build import build_network
from fer_perturb.models.gates import GatedNetwork, GatedStage, SpatialGate

EVERYWHERE = ["input", "stage1", "stage2", "stage3", "stage4"]
NETWORKS = [
    "resnet_small",
    "resnet_tiny",
    "resnet10t",
    "test_resnet",
    "test_convnext",
    "test_efficientnet",
    "test_byobnet",
    "test_mambaout",  # (B, H, W, C)
    "convnext_atto",
    "densenet121",
    "dpn68",  # tuples, in earlier versions of timm
    "mobilenetv3_small_050",
    "regnetx_002",
]


def gated(name: str = "resnet_tiny", at: tuple[str, ...] | list[str] = ("stage1", "stage2")) -> GatedNetwork:
    network = build_network(name, num_classes=7, small_input=True, attention_at=at)
    assert isinstance(network, GatedNetwork)
    return network


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_gate_is_cbams_formula() -> None:
    torch.manual_seed(0)
    gate = SpatialGate().eval()
    with torch.no_grad():
        gate.norm.running_mean.fill_(0.3)
        gate.norm.running_var.fill_(1.7)
        gate.norm.weight.fill_(1.2)
        gate.norm.bias.fill_(-0.4)
    x = drawn(3, 5, 9, 11)
    weight = gate.conv.weight  # (1, 2, 7, 7): the maximum's filter, the mean's filter
    filtered = F.conv2d(x.max(1, keepdim=True).values, weight[:, :1], padding=3) + F.conv2d(
        x.mean(1, keepdim=True), weight[:, 1:], padding=3
    )
    expected = torch.sigmoid((filtered - 0.3) / (1.7 + 1e-5) ** 0.5 * 1.2 - 0.4)
    assert gate(x).shape == (3, 1, 9, 11)
    torch.testing.assert_close(gate(x), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_gates_everywhere_learn_and_change_the_output(name: str) -> None:
    torch.manual_seed(0)
    network = gated(name, EVERYWHERE).train()
    gates = network.gates()
    assert sorted(gates) == sorted(EVERYWHERE)
    x = drawn(2, 1, 48, 48)
    F.cross_entropy(network(x), torch.tensor([1, 4])).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
    for place, gate in gates.items():
        assert gate.conv.weight.grad.abs().sum() > 0, place
        assert gate.norm.bias.grad.abs().sum() > 0, place
    network.eval()
    with torch.no_grad():
        before, attention = network.forward_with_attention(x)
        for place, gate in gates.items():
            gate.norm.bias.sub_(3.0)
            after, changed = network.forward_with_attention(x)
            assert (after - before).abs().max() > 0, place
            assert (changed < attention).float().mean() > 0.9, place
            gate.norm.bias.add_(3.0)
        torch.testing.assert_close(network(x), before)


@pytest.mark.parametrize("place", EVERYWHERE)
def test_attention_is_the_gates_map_at_input_size(place: str) -> None:
    network = gated(at=[place]).eval()
    found: list[Tensor] = []
    network.gates()[place].register_forward_hook(lambda gate, inputs, output: found.append(output))
    x = drawn(3, 1, 48, 40)
    with torch.no_grad():
        logits, attention = network.forward_with_attention(x)
        assert torch.equal(logits, network(x))
    assert attention.dtype == torch.float32
    assert attention.shape == (3, 48, 40)
    assert (
        found[0].shape[2:]
        == {
            "input": (48, 40),
            "stage1": (24, 20),
            "stage2": (12, 10),
            "stage3": (6, 5),
            "stage4": (3, 3),
        }[place]
    )
    expected = F.interpolate(found[0], size=(48, 40), mode="bilinear", align_corners=False).squeeze(1)
    torch.testing.assert_close(attention, expected)


def test_attention_of_several_gates_is_their_mean() -> None:
    network = gated(at=["stage2", "input"]).eval()
    x = drawn(2, 1, 48, 48)
    maps: list[Tensor] = []
    for gate in network.gates().values():
        gate.register_forward_hook(lambda gate, inputs, output: maps.append(output))
    with torch.no_grad():
        _, attention = network.forward_with_attention(x)
    first, second = (F.interpolate(m, size=(48, 48), mode="bilinear") for m in maps)
    torch.testing.assert_close(attention, ((first + second) / 2).squeeze(1))


def test_the_stage_is_weighed_and_the_network_goes_on_from_there() -> None:
    torch.manual_seed(0)
    plain = build_network("resnet_tiny", num_classes=7).eval()
    torch.manual_seed(0)
    network = gated(at=["input", "stage1"]).eval()
    x = drawn(2, 1, 48, 48)
    with torch.no_grad():
        seen = x * network.gates()["input"](x)
        stage1 = plain.layer1(plain.maxpool(plain.act1(plain.bn1(plain.conv1(seen)))))
        stage1 = stage1 * network.gates()["stage1"](stage1)
        rest = plain.forward_head(plain.layer4(plain.layer3(plain.layer2(stage1))))
        torch.testing.assert_close(network(x), rest)


@settings(deadline=None, max_examples=30)
@given(
    places=st.lists(st.sampled_from(EVERYWHERE), min_size=1, unique=True),
    height=st.integers(33, 60),
    width=st.integers(33, 60),
    scale=st.sampled_from([0.0, 1e-4, 1.0, 255.0, 1e5]),
    train=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_attention_is_in_zero_to_one(
    places: list[str], height: int, width: int, scale: float, train: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    network = gated(at=places).train(train)
    logits, attention = network.forward_with_attention(scale * drawn(2, 1, height, width, seed=seed))
    assert logits.shape == (2, 7)
    assert attention.shape == (2, height, width)
    assert ((attention >= 0) & (attention <= 1)).all()


def test_gates_leave_the_networks_initial_weights_alone() -> None:
    torch.manual_seed(7)
    plain = build_network("resnet_tiny", num_classes=7).state_dict()
    torch.manual_seed(7)
    network = gated(at=EVERYWHERE)
    inner = {
        key.replace(".stage.", "."): value for key, value in network.network.state_dict().items() if ".gate." not in key
    }
    assert inner.keys() == plain.keys()
    assert all(torch.equal(inner[key], plain[key]) for key in plain)


def test_deep_copies_are_independent() -> None:
    network = gated(at=["input", "stage1", "layer2.0"])
    x = drawn(2, 1, 48, 48)
    twin = copy.deepcopy(network)
    network.eval()
    twin.eval()
    with torch.no_grad():
        before, attention = network.forward_with_attention(x)
        for gate in twin.gates().values():
            gate.norm.bias.add_(2.0)
        unchanged, same_attention = network.forward_with_attention(x)
        assert torch.equal(before, unchanged)
        assert torch.equal(attention, same_attention)
        changed, other_attention = twin.forward_with_attention(x)
        assert not torch.equal(before, changed)
        assert (other_attention > attention).all()
    ours, theirs = ({p.data_ptr() for p in n.parameters()} for n in (network, twin))
    assert not ours & theirs


def test_weights_go_through_a_state_dict() -> None:
    torch.manual_seed(0)
    network = gated(at=EVERYWHERE).train()
    x = drawn(4, 1, 48, 48)
    network(x)  # moves the statistics
    state = network.state_dict()
    assert len({value.data_ptr() for value in state.values()}) == len(state)  # as safetensors asks
    torch.manual_seed(1)
    other = gated(at=EVERYWHERE)
    other.load_state_dict(state, strict=True)
    for a, b in zip(network.eval().forward_with_attention(x), other.eval().forward_with_attention(x), strict=True):
        assert torch.equal(a, b)


def test_export_gives_the_same_logits() -> None:
    network = gated(at=["input", "stage1"]).eval()
    x = drawn(2, 1, 48, 48)
    exported = torch.export.export(network, (x,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(x), network(x))


def test_bf16_autocast_and_channels_last_keep_a_fine_map() -> None:
    torch.manual_seed(0)
    network = gated(at=["stage1"]).to(memory_format=torch.channels_last).train()
    x = drawn(2, 1, 48, 48).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits, attention = network.forward_with_attention(x)
    assert logits.dtype == torch.bfloat16
    assert attention.dtype == torch.float32
    assert attention.unique().numel() > 4000  # of 4608 pixels; bf16 has 256 values between 0.25 and 0.75
    assert not torch.equal(attention, attention.bfloat16().float())
    F.cross_entropy(logits.float(), torch.tensor([0, 1])).backward()
    assert torch.isfinite(network.gates()["stage1"].conv.weight.grad).all()


def test_nothing_is_kept_after_a_forward_pass() -> None:
    network = gated(at=["input", "stage1", "stage3"]).train()
    x = drawn(2, 1, 48, 48)

    def with_graph() -> int:
        gc.collect()
        return sum(1 for o in gc.get_objects() if type(o) is Tensor and o.grad_fn is not None)

    before = with_graph()
    network(x)
    assert with_graph() == before
    network.forward_with_attention(x)
    assert with_graph() == before
    assert not any(gate._forward_hooks for gate in network.gates().values())


def test_a_failed_pass_leaves_no_hook() -> None:
    network = gated(at=["stage1"])
    with pytest.raises(RuntimeError):
        network.forward_with_attention(drawn(2, 3, 48, 48))
    assert not any(gate._forward_hooks for gate in network.gates().values())


def test_tuples_of_maps_are_weighed_by_one_map_from_all_channels() -> None:
    torch.manual_seed(0)
    stage = GatedStage(nn.Identity(), "stage1", "a network", None, False).eval()
    residual, dense = drawn(2, 5, 6, 7, seed=1), drawn(2, 3, 6, 7, seed=2)
    with torch.no_grad():
        attention = stage.gate(torch.cat([residual, dense], dim=1))
        out = stage((residual, dense))
    assert isinstance(out, tuple)
    torch.testing.assert_close(out[0], residual * attention)
    torch.testing.assert_close(out[1], dense * attention)


def test_dpn_is_gated_the_same_whether_its_blocks_return_tuples_or_maps() -> None:
    """Earlier versions of timm return (residual, dense) from a DPN's blocks, later ones their concatenation."""
    network = gated("dpn68", ["stage1"]).eval()
    stage = next(m for m in network.modules() if isinstance(m, GatedStage))
    inputs: list[object] = []
    stage.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))

    def joined(out: Tensor | tuple[Tensor, ...]) -> Tensor:
        return out if isinstance(out, Tensor) else torch.cat(out, dim=1)

    with torch.no_grad():
        network(drawn(2, 1, 48, 48))
        plain = joined(stage.stage(inputs[0]))
        torch.testing.assert_close(joined(stage(inputs[0])), plain * stage.gate(plain))


@pytest.mark.parametrize(("channels", "nhwc"), [(5, False), (None, True)])
def test_maps_with_channels_in_the_end_are_known(channels: int | None, nhwc: bool) -> None:
    stage = GatedStage(nn.Identity(), "stage1", "a network", channels, nhwc).eval()
    x = drawn(2, 4, 6, 5)  # height 4, width 6, 5 channels
    with torch.no_grad():
        expected = x * stage.gate(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        torch.testing.assert_close(stage(x), expected)


def test_lists_stay_lists() -> None:
    stage = GatedStage(nn.Identity(), "stage1", "a network", None, False)
    out = stage([drawn(2, 3, 4, 4), drawn(2, 1, 4, 4)])
    assert isinstance(out, list)
    assert [part.shape[1] for part in out] == [3, 1]


def test_tokens_are_refused_with_what_is_possible() -> None:
    x = drawn(2, 1, 48, 48)
    with pytest.raises(UserError, match=r"'stage2' of test_vit, which returns tokens .*at=\[input\]"):
        gated("test_vit", ["stage2"])(x)
    logits, attention = gated("test_vit", ["input"]).forward_with_attention(x)
    assert logits.shape == (2, 7)
    assert attention.shape == (2, 48, 48)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ([drawn(2, 3, 8, 8), drawn(2, 3, 4, 4)], r"different sizes \(8x8, 4x4\)"),
        ((drawn(2, 3, 8, 8), "more"), "returns a str among others"),
        ({"x": drawn(2, 3, 8, 8)}, "returns a dict"),
        ((), "returns a tuple"),
        (drawn(2, 7), r"returns no map \(2 x 7\)"),
    ],
)
def test_what_is_no_map_is_refused(out: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        GatedStage(nn.Identity(), "stage1", "a network", None, False)(out)


def test_places_by_dotted_name_and_within_each_other() -> None:
    network = gated(at=["layer2", "layer2.0", "layer1.0.conv1"])
    assert sorted(network.gates()) == ["layer1.0.conv1", "layer2", "layer2.0"]
    network.forward_with_attention(drawn(2, 1, 48, 48))


def test_a_module_with_two_names_is_gated_at_both() -> None:
    shared = nn.Conv2d(1, 1, 3, padding=1)
    network = GatedNetwork(nn.Sequential(shared, nn.ReLU(), shared), ["0"])
    assert network.network[0] is network.network[2]
    assert isinstance(network.network[2], GatedStage)


def test_a_place_that_the_forward_pass_never_reaches() -> None:
    backbone = build_network("resnet_tiny", num_classes=7)
    backbone.add_module("spare", nn.Conv2d(1, 1, 1))
    network = GatedNetwork(backbone, ["stage1", "spare"], name="resnet_tiny")
    with pytest.raises(UserError, match="resnet_tiny does not call the module at 'spare'"):
        network.forward_with_attention(drawn(2, 1, 48, 48))


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (["stage9"], r"resnet_tiny has no stage 'stage9'. Choose from: input, stage1, .*, stage4;"),
        (["stage1", "stage1"], r"names 'stage1' .* twice"),
        (["stage1", "layer1"], r"names 'layer1' .* twice"),
        (["input", "input"], r"names 'input' .* twice"),
        ([""], "has no stage ''"),
        ("stage1", r"must be a list of places, such as \[stage1\]"),
    ],
)
def test_wrong_places_are_named(at: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_network("resnet_tiny", num_classes=7, attention_at=at)


def test_no_place_at_all() -> None:
    with pytest.raises(UserError, match="is empty"):
        GatedNetwork(nn.Conv2d(1, 1, 1), [])
