"""ResNet-50 for small grey faces: timm's, with a stem that keeps the pixels. Its small version: resnet_small.py."""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import Bottleneck, ResNet
from torch import nn

_CONFIG = {"input_size": (1, 48, 48), "num_classes": 7, "first_conv": "conv1", "classifier": "fc"}
default_cfgs = generate_default_cfgs({"fer_resnet50.untrained": _CONFIG})


@register_model
def fer_resnet50(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """ResNet-50 (He et al. 2016) for small faces, as the paper's author trains it: 23,513,543 parameters.

    Against timm's `resnet50`: a 3x3 stride-1 convolution in place of the 7x7 stride-2 one, and no max pooling.
    """
    network: nn.Module = build_model_with_cfg(_resnet, "fer_resnet50", pretrained, **kwargs)
    return network


def _resnet(*, in_chans: int = 1, **kwargs: Any) -> ResNet:
    arguments: dict[str, Any] = {"block": Bottleneck, "layers": (3, 4, 6, 3), "in_chans": in_chans, **kwargs}
    network = ResNet(**arguments)
    stem = nn.Conv2d(in_chans, 64, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")  # as timm's ResNet does
    network.set_submodule("conv1", stem)
    network.set_submodule("maxpool", nn.Identity())
    for stage, entry in enumerate(network.feature_info):
        entry["reduction"] = 2 ** max(0, stage - 1)
    return network
