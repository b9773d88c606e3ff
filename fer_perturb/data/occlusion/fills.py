"""What features are hidden by.

Each fill takes images, uint8 (B, 1, H, W), and their hidden pixels, bool (B, 1, H, W), of all parts, and gives uint8
(B, 1, H, W).
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

NOISE = 1 << 14  # random numbers that the fill `noise` is cut from


def mean(images: Tensor, hidden: Tensor) -> Tensor:
    """The mean grey value of each picture."""
    return images.float().mean(dim=(2, 3), keepdim=True).round().to(torch.uint8).expand_as(images)


def noise(images: Tensor, hidden: Tensor) -> Tensor:
    """Grey values without order, a function of the picture."""
    bank = _noise_bank(images.device)
    pixels = torch.arange(images[0].numel(), device=images.device)
    start = images.flatten(1).sum(dim=1, dtype=torch.int64)
    return bank[(start[:, None] + pixels) % NOISE].view_as(images)


@cache
def _noise_bank(device: torch.device) -> Tensor:
    return torch.randint(256, (NOISE,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8).to(device)


def blur(images: Tensor, hidden: Tensor) -> Tensor:
    """The picture out of focus: means over squares of a twelfth of its side and over their neighbours, drawn large."""
    side = max(2, min(images.shape[2:]) // 12)
    coarse = avg_pool2d(images.float(), side, ceil_mode=True, count_include_pad=False)
    coarse = avg_pool2d(coarse, 3, stride=1, padding=1, count_include_pad=False)
    soft = interpolate(coarse, size=images.shape[2:], mode="bilinear", align_corners=False)
    return soft.round().to(torch.uint8)


def skin(images: Tensor, hidden: Tensor) -> Tensor:
    """What surrounds the hidden pixels, drawn smoothly inwards (push and pull: Gortler et al. 1996)."""
    known = (~hidden).float()
    levels = [torch.cat([images.float() * known, known], dim=1)]  # grey values by their weight, and the weight
    while min(levels[-1].shape[2:]) > 1:
        levels.append(avg_pool2d(levels[-1], 2, ceil_mode=True))
    weighted, weight = levels[-1].sum(dim=(2, 3), keepdim=True).chunk(2, dim=1)
    filled = weighted / weight.clamp(min=1e-6)
    for level in reversed(levels):
        weighted, weight = level.chunk(2, dim=1)
        coarse = interpolate(filled, size=level.shape[2:], mode="bilinear", align_corners=False)
        filled = weighted + (1 - weight) * coarse
    return filled.round_().clamp_(0, 255).to(torch.uint8)


FILLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mean": mean, "noise": noise, "blur": blur, "skin": skin}
