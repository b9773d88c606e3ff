"""Crops of batches: five in training, ten in testing (the author's FiveCrop(40) and TenCrop(40): docs/paper.md)."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

TestTimeAugmentation = Literal["none", "flip", "ten"]

MARGIN = 4  # pixels; where the recipe has no crops, ten are those of the image with such a margin around it


def centre_crop(images: Tensor, size: int) -> Tensor:
    """(..., H, W) -> (..., size, size), cut from the middle."""
    top, left = (images.shape[-2] - size) // 2, (images.shape[-1] - size) // 2
    return images[..., top : top + size, left : left + size]


def five_crops(images: Tensor, size: int) -> Tensor:
    """(B, ..., H, W) -> (5 * B, ..., size, size): the four corners, then the centre; crop by crop."""
    return torch.cat([*_corners(images, size, size), centre_crop(images, size)])


def test_time_crops(images: Tensor, tta: TestTimeAugmentation, crop: int | None) -> Tensor:
    """What a network sees of each image in testing: (B, ..., H, W) -> (T, B, ..., h, w).

    T = 1 for "none" (the whole image, or its centre where there are crops), 2 for "flip" (that and its
    mirror image), 10 for "ten" (centre and corners, and their mirror images). The first is always "none"'s, and of ten
    the sixth is its mirror image. Without crops the corners are those of the image with a margin of MARGIN pixels,
    which continues its edge: the image, shifted.
    """
    plain = images if crop is None else centre_crop(images, crop)
    if tta == "none":
        return plain[None]
    if tta == "flip":
        return torch.stack([plain, plain.flip(-1)])
    whole = images if crop is not None else _with_margin(images)
    five = torch.stack([plain, *reversed(_corners(whole, *plain.shape[-2:]))])
    return torch.cat([five, five.flip(-1)])


def _corners(images: Tensor, height: int, width: int) -> list[Tensor]:
    """(..., H, W) -> four of (..., height, width): top left, top right, bottom left, bottom right."""
    bottom, right = images.shape[-2] - height, images.shape[-1] - width
    return [images[..., top : top + height, left : left + width] for top in (0, bottom) for left in (0, right)]


def _with_margin(images: Tensor) -> Tensor:
    """(B, ..., H, W) -> (B, ..., H + 2 * MARGIN, W + 2 * MARGIN)."""
    padded = pad(images.flatten(0, -3)[None], 4 * (MARGIN,), mode="replicate")
    return padded.view(*images.shape[:-2], *padded.shape[-2:])
