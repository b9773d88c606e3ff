import pytest
import timm
import torch
from timm.layers import SEModule
from torch import nn

from fer_perturb.models import resnet_small

PARAMETERS = {
    "resnet_small": 2_796_263,
    "resnet_tiny": 308_151,
    "seresnet_small": 2_825_335,
    "seresnet_light": 1_244_399,
    "seresnet_wide": 11_279_559,
}
NAMES = tuple(PARAMETERS)


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameter_count(name: str, parameters: int) -> None:
    network = timm.create_model(name, num_classes=7, in_chans=1)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("side", "sides"), [(48, [24, 24, 12, 6, 3]), (40, [20, 20, 10, 5, 3])])
def test_stages_run_at_the_stated_sizes(name: str, side: int, sides: list[int]) -> None:
    features = timm.create_model(name, features_only=True, in_chans=1).eval()
    with torch.no_grad():
        maps = features(torch.rand(1, 1, side, side))
    assert [m.shape[-1] for m in maps] == sides
    assert [m.shape[1] for m in maps] == features.feature_info.channels()
    assert [-(-side // r) for r in features.feature_info.reduction()] == sides


@pytest.mark.parametrize("name", ["resnet_small", "resnet_tiny"])
def test_stem_is_one_3x3_stride_2_convolution_without_pooling(name: str) -> None:
    network = timm.create_model(name)
    assert isinstance(network.conv1, nn.Conv2d)
    assert (network.conv1.kernel_size, network.conv1.stride) == ((3, 3), (2, 2))
    assert network.conv1.in_channels == 1  # one grey channel unless asked otherwise
    assert not [m for m in network.modules() if isinstance(m, nn.MaxPool2d)]


@pytest.mark.parametrize("name", ["seresnet_small", "seresnet_light"])
def test_se_resnets_see_every_pixel_before_they_halve(name: str) -> None:
    network = timm.create_model(name)
    stem = [m for m in network.conv1.modules() if isinstance(m, nn.Conv2d)]
    assert [(m.in_channels, m.out_channels, m.stride) for m in stem] == [(1, 16, (1, 1)), (16, 32, (2, 2))]
    assert not [m for m in network.modules() if isinstance(m, nn.MaxPool2d)]
    blocks = [block for layer in (network.layer1, network.layer2, network.layer3, network.layer4) for block in layer]
    assert all(isinstance(block.se, SEModule) for block in blocks)
    shortcuts = [block.downsample for block in blocks if block.downsample is not None]
    assert all(isinstance(shortcut[0], nn.AvgPool2d) for shortcut in shortcuts)
    assert len(shortcuts) == 3
    # timm knows the first convolution: it takes other numbers of channels by that name
    assert isinstance(network.get_submodule(network.default_cfg["first_conv"]), nn.Conv2d)


@pytest.mark.parametrize("name", NAMES)
def test_registered_without_taking_a_name_of_timm(name: str) -> None:
    assert timm.model_entrypoint(name).__module__ == resnet_small.__name__
    assert name not in timm.list_models(module="resnet")


def test_takes_other_channels_and_classes() -> None:
    network = timm.create_model("resnet_tiny", in_chans=3, num_classes=4).eval()
    assert network(torch.rand(2, 3, 64, 56)).shape == (2, 4)
