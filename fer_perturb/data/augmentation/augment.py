"""Augmentation of whole batches on the training device, drawn per image."""

from collections.abc import Sequence

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from fer_perturb.checked import STRICT
from fer_perturb.data.augmentation.crops import five_crops


@dataclass(frozen=True, config=STRICT)
class AugmentationSettings:
    """How strongly images are changed in training (conf/recipe, `recipe.augmentation`)."""

    flip: float
    """Probability of a horizontal flip."""
    affine: float
    """Probability of the shift, scale and rotation."""
    shift: float
    """Largest shift, as a share of the side."""
    scale: tuple[float, float]
    """Range of the scale, the same for both sides."""
    rotate: float
    """Largest rotation, in degrees."""
    jitter: float
    """Probability of the change of brightness, and, drawn apart, of that of contrast."""
    brightness: float
    """Largest change of the brightness: grey values in [0, 1] are moved by at most this."""
    contrast: float
    """Largest change of the contrast: grey values are multiplied by 1 - this to 1 + this."""
    erase: float
    """Probability of erasing a random rectangle to black."""
    erase_area: tuple[float, float]
    """Range of the erased area, as a share of the image."""

    def __post_init__(self) -> None:
        shares = ("flip", "affine", "shift", "jitter", "brightness", "contrast", "erase")
        ranges = {key: (getattr(self, key), (0.0, 1.0)) for key in shares}
        ranges |= {"erase_area": (self.erase_area, (0.0, 1.0)), "scale": (self.scale, (0.1, 10.0))}
        for key, (value, (low, high)) in ranges.items():
            values = value if isinstance(value, tuple) else (value,)
            if not (low <= min(values) and max(values) <= high and values == tuple(sorted(values))):
                raise ValueError(f"{key}={value}: expected {low} to {high}, the lower first.")


class Augmentation(nn.Module):
    """Flip, then shift, scale and rotation, then brightness and contrast, then five crops, then random erasing.

    Each change is drawn for each image (erasing: for each crop). The numbers come from torch's global random stream
    on the images' device, equally many in the same order whatever the settings and whether or not label maps go
    along: two schemes with the same seed see the same augmented images. The host never waits for a value. There is
    no matrix product, which autocast would round so far that shifts were wrong by tenths of a pixel.
    """

    def __init__(self, settings: AugmentationSettings, crop: int | None) -> None:
        super().__init__()
        self.settings = settings
        self.crop = crop

    @torch.no_grad()
    def forward(self, images: Tensor, planes: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Augments a batch.

        images: uint8 (B, 1, H, W). planes: float32 (B, 1, H, W) that are flipped, shifted, scaled, rotated and
        cropped with their images, by nearest neighbour, 0 outside.
        Returns images float32 in [0, 1] and planes, (B, 1, H, W) or, with crops, (5 * B, 1, crop, crop). An image
        for which nothing is drawn keeps its grey values exactly.
        """
        settings = self.settings
        draws = torch.rand(10, len(images), 1, 1, 1, device=images.device)
        flip, affine, angle, scale, right, down, brighter, brightness, harder, contrast = draws
        flipped, moved = flip < settings.flip, affine < settings.affine
        grid = sampling_grid(
            images.shape[-2:],
            angle=torch.deg2rad(uniform(angle, -settings.rotate, settings.rotate)),
            scale=uniform(scale, *settings.scale),
            right=uniform(right, -settings.shift, settings.shift),
            down=uniform(down, -settings.shift, settings.shift),
        )
        # what comes in from outside continues the image, not a black frame
        warped = warp(to_unit(images), flipped, moved, grid, mode="bilinear", padding="border")
        planes = None if planes is None else warp(planes, flipped, moved, grid, mode="nearest", padding="zeros")
        added = (brighter < settings.jitter) * uniform(brightness, -settings.brightness, settings.brightness)
        factor = 1 + (harder < settings.jitter) * uniform(contrast, -settings.contrast, settings.contrast)
        warped = ((warped + added).clamp(0, 1) * factor).clamp(0, 1)
        if self.crop is not None:
            warped = five_crops(warped, self.crop)
            planes = None if planes is None else five_crops(planes, self.crop)
        return erase(warped, settings.erase, settings.erase_area), planes


def to_unit(images: Tensor) -> Tensor:
    """uint8 grey values as float32 in [0, 1]."""
    return images.float() / 255


def uniform(draws: Tensor, low: float, high: float) -> Tensor:
    """Numbers uniform in [0, 1) -> uniform in [low, high)."""
    return low + (high - low) * draws


def sampling_grid(size: Sequence[int], angle: Tensor, scale: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Where in the image each pixel of the warped image comes from, for `grid_sample` with align_corners=False.

    The image is turned clockwise about its centre by `angle` (radians), made `scale` times as large, and then moved
    by `right` and `down` (shares of the width and height); all are (B, 1, 1, 1). size: (H, W).
    Returns (B, H, W, 2) in -1..1 from edge to edge.
    """
    height, width = size
    x = torch.arange(width, device=angle.device) - (width - 1) / 2 - width * right  # from the centre, in pixels
    y = torch.arange(height, device=angle.device)[:, None] - (height - 1) / 2 - height * down
    cos, sin = angle.cos() / scale, angle.sin() / scale
    from_x, from_y = cos * x + sin * y, cos * y - sin * x  # the way back: turned the other way, divided by the scale
    return torch.stack([from_x * (2 / width), from_y * (2 / height)]).squeeze(2).movedim(0, -1)


def warp(images: Tensor, flipped: Tensor, moved: Tensor, grid: Tensor, mode: str, padding: str) -> Tensor:
    """Mirrors the images (B, 1, H, W) that are `flipped`, and samples at `grid` those that are `moved`.

    flipped and moved: bool (B, 1, 1, 1). The others stay as they are, to the bit.
    """
    images = torch.where(flipped, images.flip(-1), images)
    sampled = grid_sample(images, grid, mode=mode, padding_mode=padding, align_corners=False)
    return torch.where(moved, sampled, images)


def erase(images: Tensor, probability: float, area: tuple[float, float]) -> Tensor:
    """Sets a random rectangle in each image (B, 1, H, W) to 0 with `probability` (random erasing; Zhong et al. 2020).

    Its area is a uniform share of the image in `area`, its shape one that `rectangles` draws; it lies inside the image.
    """
    height, width = images.shape[-2:]
    drawn, share, shape, left, top = torch.rand(5, len(images), 1, 1, 1, device=images.device)
    if probability == 0:
        return images
    inside = rectangles(images.shape[-2:], uniform(share, *area) * (height * width), shape, left, top)
    return torch.where(inside & (drawn < probability), 0.0, images)


def rectangles(size: Sequence[int], pixels: Tensor, shape: Tensor, left: Tensor, top: Tensor) -> Tensor:
    """Rectangles of about `pixels` pixels inside images of `size` (H, W): bool (..., H, W).

    All are (..., 1, 1). `shape`, `left` and `top` are draws in [0, 1): the height is 0.3 to 3.3 times the width (as
    often below 1 as above), as far as a rectangle of that shape and size has room in the image.
    """
    height, width = size
    ratio = torch.where(shape < 0.5, uniform(2 * shape, 0.3, 1.0), uniform(2 * shape - 1, 1.0, 3.3))
    ratio = ratio.clamp(pixels / width**2, height**2 / pixels)
    tall = (pixels * ratio).sqrt().round().clamp(1, height)
    wide = (pixels / ratio).sqrt().round().clamp(1, width)
    y = torch.arange(height, device=pixels.device)[:, None] - (top * (height - tall + 1)).floor()
    x = torch.arange(width, device=pixels.device) - (left * (width - wide + 1)).floor()
    return (y >= 0) & (y < tall) & (x >= 0) & (x < wide)
