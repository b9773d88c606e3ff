"""ResNets for small grey pictures: timm's ResNet in narrow, with a stem that keeps the pixels.

They are registered with timm, so `timm.create_model("resnet_small")` finds them once this module is imported.
"""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import BasicBlock, ResNet
from torch import nn

_CONFIG = {
    "input_size": (1, 48, 48),
    "num_classes": 7,
    "pool_size": (3, 3),
    "mean": (0.5,),
    "std": (0.25,),
    "first_conv": "conv1",
    "classifier": "fc",
}
_CONFIGS: dict[str, Any] = {f"{name}.untrained": _CONFIG for name in ("resnet_small", "resnet_tiny")}
for _name in ("seresnet_small", "seresnet_light", "seresnet_wide"):
    _CONFIGS[f"{_name}.untrained"] = {**_CONFIG, "first_conv": "conv1.0"}
default_cfgs = generate_default_cfgs(_CONFIGS)
_SE_D: dict[str, Any] = {"block_args": {"attn_layer": "se"}, "avg_down": True, "full_size_stem": True}


@register_model
def resnet_small(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """ResNet-18 (He et al. 2016, Table 1) of half width: BasicBlocks [2, 2, 2, 2], 32 to 256 channels.

    Against timm's `resnet18`: half the channels everywhere, a 3x3 stride-2 convolution in place of the 7x7 one,
    and no max pooling. The four stages of a 48x48 picture run at 24, 12, 6 and 3 pixels. 2.8 M parameters.
    """
    return _build("resnet_small", pretrained, layers=(2, 2, 2, 2), channels=(32, 64, 128, 256), **kwargs)


@register_model
def seresnet_small(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """`resnet_small` with changes that cost few operations and gain much on small pictures (docs/recipes.md).

    Squeeze-and-excitation in each block (Hu et al. 2018); shortcuts that average before they project, and a
    convolution at full size before the one of stride 2 (He et al. 2019, ResNet-D and -C). 2.8 M parameters.
    """
    return _build("seresnet_small", pretrained, layers=(2, 2, 2, 2), channels=(32, 64, 128, 256), **_SE_D, **kwargs)


@register_model
def seresnet_light(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """`seresnet_small` with BasicBlocks [1, 1, 1, 1]: the most accurate for few operations. 1.2 M parameters."""
    return _build("seresnet_light", pretrained, layers=(1, 1, 1, 1), channels=(32, 64, 128, 256), **_SE_D, **kwargs)


@register_model
def seresnet_wide(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """`seresnet_small` at the full width of ResNet-18, 64 to 512 channels, for a GPU. 11.3 M parameters."""
    return _build("seresnet_wide", pretrained, layers=(2, 2, 2, 2), channels=(64, 128, 256, 512), **_SE_D, **kwargs)


@register_model
def resnet_tiny(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """ResNet-10 of quarter width: as `resnet_small`, with BasicBlocks [1, 1, 1, 1], 16 to 128 channels.

    For the demo and for tests. 0.3 M parameters.
    """
    return _build("resnet_tiny", pretrained, layers=(1, 1, 1, 1), channels=(16, 32, 64, 128), **kwargs)


def _build(variant: str, pretrained: bool, **kwargs: Any) -> nn.Module:
    network: nn.Module = build_model_with_cfg(_narrow_resnet, variant, pretrained, **kwargs)
    return network


def _narrow_resnet(
    *, channels: tuple[int, ...], in_chans: int = 1, full_size_stem: bool = False, **kwargs: Any
) -> ResNet:
    width = channels[0]
    # timm's plain stem is always 64 wide. Its deep stem takes a width; one convolution then stands in for it.
    arguments: dict[str, Any] = {
        "block": BasicBlock,
        "channels": channels,
        "in_chans": in_chans,
        "stem_type": "deep",
        "stem_width": width // 2,
        **kwargs,
    }
    network = ResNet(**arguments)
    stem: nn.Module = nn.Conv2d(in_chans, width, kernel_size=3, stride=2, padding=1, bias=False)
    if full_size_stem:
        # half as wide, and no norm at full size, where one would cost as much as a stage
        fine = nn.Conv2d(in_chans, width // 2, kernel_size=3, padding=1)
        halving = nn.Conv2d(width // 2, width, kernel_size=3, stride=2, padding=1, bias=False)
        stem = nn.Sequential(fine, nn.ReLU(inplace=True), halving)
    for convolution in (module for module in stem.modules() if isinstance(module, nn.Conv2d)):
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")  # as timm's ResNet does
        if convolution.bias is not None:
            nn.init.zeros_(convolution.bias)
    network.set_submodule("conv1", stem)
    network.set_submodule("maxpool", nn.Identity())
    stages: list[dict[str, Any]] = network.feature_info[1:]
    for stage in stages:
        stage["reduction"] //= 2  # no max pooling: each stage is twice as fine as timm notes it
    return network
