import pytest
import timm
import torch
from torch import nn

from fer_perturb.models.stages import stages


@pytest.mark.parametrize(
    ("name", "first", "count"),
    [
        ("resnet18", "layer1", 4),
        ("resnet50d", "layer1", 4),  # a stem of three convolutions
        ("legacy_seresnet18", "layer1", 4),
        ("resnetv2_18", "stages.0", 4),
        ("convnext_atto", "stages.0", 4),  # timm lists no stem
        ("densenet121", "features.denseblock1", 4),  # stem and blocks in one container
        ("dpn68", "features.conv2_3", 4),
        ("efficientnet_b0", "blocks.0", 5),
        ("mobilenetv3_small_050", "blocks.0", 4),
        ("vgg11_bn", "features.2", 6),  # every entry is an activation
        ("halonet26t", "stages.0", 4),  # timm lists a part of the stem
        ("darknet17", "stages.0", 5),
        ("tresnet_m", "body.layer1", 4),  # timm's first entry names no module
        ("swin_tiny_patch4_window7_224", "layers.0", 4),
        ("vit_tiny_patch16_224", "blocks.0", 12),
    ],
)
def test_stage1_is_the_first_stage_after_the_stem(name: str, first: str, count: int) -> None:
    with torch.device("meta"):
        network = timm.create_model(name)
    found = stages(network)
    assert list(found) == [f"stage{i + 1}" for i in range(count)]
    assert found["stage1"] == first
    for path in found.values():
        network.get_submodule(path)


def test_a_stem_that_is_one_module() -> None:
    assert list(stages(timm.create_model("regnetx_002")).values()) == ["s1", "s2", "s3", "s4"]


def test_no_feature_info_no_stages() -> None:
    assert stages(nn.Sequential(nn.Conv2d(1, 2, 3))) == {}
