"""Crops of batches: five in training, ten in testing (the author's FiveCrop(40) and TenCrop(40): docs/paper.md)."""

from typing import Literal

import torch
from torch import Tensor

TestTimeAugmentation = Literal["none", "flip", "ten"]


def centre_crop(images: Tensor, size: int) -> Tensor:
    """(..., H, W) -> (..., size, size), cut from the middle."""
    top, left = (images.shape[-2] - size) // 2, (images.shape[-1] - size) // 2
    return images[..., top : top + size, left : left + size]


def five_crops(images: Tensor, size: int) -> Tensor:
    """(B, ..., H, W) -> (5 * B, ..., size, size): the four corners, then the centre; crop by crop."""
    bottom, right = images.shape[-2] - size, images.shape[-1] - size
    corners = [images[..., top : top + size, left : left + size] for top in (0, bottom) for left in (0, right)]
    return torch.cat([*corners, centre_crop(images, size)])


def test_time_crops(images: Tensor, tta: TestTimeAugmentation, crop: int | None) -> Tensor:
    """What a network sees of each image in testing: (B, ..., H, W) -> (T, B, ..., h, w).

    T = 1 for "none" (the whole image, or its centre where there are crops), 2 for "flip" (that and its
    mirror image), 10 for "ten" (the five crops and their mirror images). The first is always "none"'s.
    """
    plain = images if crop is None else centre_crop(images, crop)
    if tta == "none":
        return plain[None]
    if tta == "flip":
        return torch.stack([plain, plain.flip(-1)])
    if crop is None:
        raise ValueError("ten crops need the side of the crops: recipe.crop")
    five = torch.stack(five_crops(images, crop).chunk(5)).flip(0)  # the centre first
    return torch.cat([five, five.flip(-1)])
