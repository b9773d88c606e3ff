"""DPN-26: a dual path network (Chen et al. 2017) for small faces.

timm's DPN norms before each convolution, has its own widths and counts 11,981,623 parameters in this shape, so the
network here is written out.
"""

from collections.abc import Sequence
from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.nn import functional as F

_CONFIG = {"input_size": (1, 48, 48), "num_classes": 7, "first_conv": "conv1", "classifier": "fc"}
default_cfgs = generate_default_cfgs({f"{name}.untrained": _CONFIG for name in ("fer_dpn26", "dpn_small")})


@register_model
def fer_dpn26(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """DPN-26 (Chen et al. 2017) with two blocks a stage: 11,566,391 parameters, with norms after the convolutions.

    Residual widths 256 to 2048, dense growth 16/32/24/128, 32 groups, a 3x3 stride-1 stem without pooling.
    """
    widths, growth = (96, 192, 384, 768), (16, 32, 24, 128)
    return _build("fer_dpn26", pretrained, widths=widths, growth=growth, groups=32, stem_stride=1, **kwargs)


@register_model
def dpn_small(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """`fer_dpn26` at a quarter of its widths, with a stem of stride 2, for two CPU cores."""
    widths, growth = (24, 48, 96, 192), (4, 8, 6, 32)
    return _build("dpn_small", pretrained, widths=widths, growth=growth, groups=8, stem_stride=2, **kwargs)


def _build(variant: str, pretrained: bool, **kwargs: Any) -> nn.Module:
    network: nn.Module = build_model_with_cfg(DPN, variant, pretrained, **kwargs)
    return network


class DualPathBlock(nn.Module):
    """A bottleneck whose output is added to the first `residual` channels and appended to the others.

    (B, in_channels, H, W) -> (B, C + growth, H / stride, W / stride), where C is `in_channels`, or `residual` + growth
    for a block that projects its input.
    """

    def __init__(
        self, in_channels: int, width: int, residual: int, growth: int, groups: int, stride: int, project: bool
    ) -> None:
        super().__init__()
        out = residual + growth
        self.residual = residual
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.shortcut: nn.Module = nn.Identity()
        if project:
            projection = nn.Conv2d(in_channels, out, kernel_size=1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y, x = self.bn3(self.conv3(y)), self.shortcut(x)
        d = self.residual
        return F.relu(torch.cat([x[:, :d] + y[:, :d], x[:, d:], y[:, d:]], dim=1), inplace=True)


class DPN(nn.Module):
    """Stem, four stages of dual path blocks, global mean, one linear layer."""

    def __init__(
        self,
        *,
        widths: Sequence[int],
        growth: Sequence[int],
        groups: int,
        stem_stride: int,
        blocks: int = 2,
        in_chans: int = 1,
        num_classes: int = 7,
    ) -> None:
        super().__init__()
        channels = 64 * widths[0] // 96
        self.conv1 = nn.Conv2d(in_chans, channels, kernel_size=3, stride=stem_stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.stages = nn.Sequential()
        self.feature_info = [{"num_chs": channels, "reduction": stem_stride, "module": "bn1"}]
        for number, (width, dense) in enumerate(zip(widths, growth, strict=True)):
            residual = 8 * width // 3
            stage = nn.Sequential()
            for block in range(blocks):
                stride = 2 if number and not block else 1
                stage.append(DualPathBlock(channels, width, residual, dense, groups, stride, project=not block))
                channels = residual + (block + 2) * dense
            self.stages.append(stage)
            reduction = stem_stride * 2**number
            self.feature_info.append({"num_chs": channels, "reduction": reduction, "module": f"stages.{number}"})
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_chans, H, W) -> logits (B, num_classes)."""
        x = self.stages(F.relu(self.bn1(self.conv1(x)), inplace=True))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits
