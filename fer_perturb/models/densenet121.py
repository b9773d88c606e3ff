"""DenseNet-121 for small grey faces: timm's, with a stem that keeps the pixels."""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.densenet import DenseNet
from torch import nn

_CONFIG = {"input_size": (1, 48, 48), "num_classes": 7, "first_conv": "features.conv0", "classifier": "classifier"}
default_cfgs = generate_default_cfgs({f"{name}.untrained": _CONFIG for name in ("fer_densenet121", "densenet_small")})


@register_model
def fer_densenet121(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """DenseNet-121 (Huang et al. 2017, growth 32, reduction 0.5) for small faces: 6,952,071 parameters.

    Against timm's `densenet121`: a 3x3 stride-1 convolution in place of the 7x7 stride-2 one, with neither norm nor
    activation nor pooling after it (each dense layer begins with its own).
    """
    return _build("fer_densenet121", pretrained, growth_rate=32, stem_stride=1, **kwargs)


@register_model
def densenet_small(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """`fer_densenet121` with growth 8 and a stem of stride 2, for two CPU cores."""
    return _build("densenet_small", pretrained, growth_rate=8, stem_stride=2, **kwargs)


def _build(variant: str, pretrained: bool, **kwargs: Any) -> nn.Module:
    network: nn.Module = build_model_with_cfg(_densenet, variant, pretrained, **kwargs)
    return network


def _densenet(*, growth_rate: int, stem_stride: int, in_chans: int = 1, **kwargs: Any) -> DenseNet:
    network = DenseNet(growth_rate=growth_rate, in_chans=in_chans, **kwargs)
    stem = nn.Conv2d(in_chans, 2 * growth_rate, kernel_size=3, stride=stem_stride, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight)  # as timm's DenseNet does
    network.features.set_submodule("conv0", stem)
    network.features.set_submodule("norm0", nn.Identity())
    network.features.set_submodule("pool0", nn.Identity())
    for stage, entry in enumerate(network.feature_info):
        entry["reduction"] = stem_stride * 2 ** max(0, stage - 1)
    return network
