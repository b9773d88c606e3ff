"""The residual masking network (Pham et al. 2020): a ResNet whose stages are weighed by small U-Nets."""

from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import BasicBlock, ResNet, downsample_conv
from torch import Tensor, nn
from torch.nn import functional as F

from fer_perturb.models.zero_padded import ZeroPadded

DEPTHS = (4, 3, 2, 1)  # of the masking block after each stage

_CONFIG = {"input_size": (1, 48, 48), "num_classes": 7, "first_conv": "conv1.1", "classifier": "fc"}
default_cfgs = generate_default_cfgs({f"{name}.untrained": _CONFIG for name in ("resmasking", "resmasking_small")})


@register_model
def resmasking(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """ResMasking (Pham et al. 2020) on a ResNet-34: 137,790,151 parameters.

    Against timm's `resnet34`: a masking block after each of the four stages, and the picture padded with zeros to
    64x64 pixels, so that the 7x7 stride-2 convolution and the max pooling leave 16x16.
    """
    return _build("resmasking", pretrained, layers=(3, 4, 6, 3), width=64, **kwargs)


@register_model
def resmasking_small(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """`resmasking` on a ResNet-10 of a quarter of the width, for two CPU cores."""
    return _build("resmasking_small", pretrained, layers=(1, 1, 1, 1), width=16, **kwargs)


class MaskingBlock(nn.Module):
    """x -> x * (1 + M(x)), where M is a U-Net of residual blocks that ends in a softmax over the channels.

    Its way down has `depth` blocks, each of which doubles the channels, with 2x2 max pooling between them; the way up
    halves them again: a 2x2 transposed convolution, the block of the same size on the way down beside it, a residual
    block. (B, channels, H, W) in and out; H and W are multiples of 2 ** (depth - 1).
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(_residual(widths[level], widths[level + 1]) for level in range(depth))
        rising = range(depth - 1, 0, -1)
        self.up = nn.ModuleList(_doubled(widths[level + 1], widths[level]) for level in rising)
        self.merge = nn.ModuleList(_residual(widths[level + 1], widths[level]) for level in rising)
        self.last = _residual(widths[1], widths[0])

    def mask(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) in [0, 1], which adds up to 1 over the channels."""
        passed: list[Tensor] = []
        for number, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if number else x)
            passed.append(x)
        passed.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([up(x), passed.pop()], dim=1))
        return torch.softmax(self.last(x), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + self.mask(x))


def _build(variant: str, pretrained: bool, **kwargs: Any) -> nn.Module:
    network: nn.Module = build_model_with_cfg(_resmasking, variant, pretrained, **kwargs)
    return network


def _resmasking(*, layers: tuple[int, ...], width: int, in_chans: int = 1, **kwargs: Any) -> ResNet:
    channels = tuple(width * 2**stage for stage in range(4))
    # a stem of another width than 64 comes with timm's deep stem alone; its one convolution replaces that
    arguments: dict[str, Any] = {"layers": layers, "channels": channels, "in_chans": in_chans, **kwargs}
    network = ResNet(**{"block": BasicBlock, "stem_type": "deep", "stem_width": width // 2, **arguments})
    stem = nn.Conv2d(in_chans, width, kernel_size=7, stride=2, padding=3, bias=False)
    network.set_submodule("conv1", nn.Sequential(ZeroPadded(), stem))
    for stage, depth in enumerate(DEPTHS):
        getattr(network, f"layer{stage + 1}").append(MaskingBlock(channels[stage], depth))
    network.init_weights()
    return network


def _residual(in_channels: int, out_channels: int) -> BasicBlock:
    return BasicBlock(in_channels, out_channels, downsample=downsample_conv(in_channels, out_channels, kernel_size=1))


def _doubled(in_channels: int, out_channels: int) -> nn.Sequential:
    larger = nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)
    return nn.Sequential(larger, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))
