import pytest
import timm
import torch
from torch import nn

from fer_perturb.models import resnet_small

PARAMETERS = {"resnet_small": 2_796_263, "resnet_light": 1_227_623, "resnet_tiny": 308_151}
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


@pytest.mark.parametrize("name", NAMES)
def test_stem_is_one_3x3_stride_2_convolution_without_pooling(name: str) -> None:
    network = timm.create_model(name)
    assert isinstance(network.conv1, nn.Conv2d)
    assert (network.conv1.kernel_size, network.conv1.stride) == ((3, 3), (2, 2))
    assert network.conv1.in_channels == 1  # one grey channel unless asked otherwise
    assert not [m for m in network.modules() if isinstance(m, nn.MaxPool2d)]


@pytest.mark.parametrize("name", NAMES)
def test_registered_without_taking_a_name_of_timm(name: str) -> None:
    assert timm.model_entrypoint(name).__module__ == resnet_small.__name__
    assert name not in timm.list_models(module="resnet")


def test_takes_other_channels_and_classes() -> None:
    network = timm.create_model("resnet_tiny", in_chans=3, num_classes=4).eval()
    assert network(torch.rand(2, 3, 64, 56)).shape == (2, 4)
