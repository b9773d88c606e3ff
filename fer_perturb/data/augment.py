"""Augmentation of whole batches on the training device, drawn per image (kornia)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fer_perturb.data.crops import five_crops
from fer_perturb.errors import UserError


@dataclass(frozen=True)
class AugmentationSettings:
    """How strongly images are changed in training (conf/recipe, `recipe.augmentation`)."""

    flip: float
    """Probability of a horizontal flip."""
    affine: float
    """Probability of the shift, scale and rotation."""
    shift: float
    """Largest shift, as a share of the side."""
    scale: tuple[float, float]
    """Range of the scale."""
    rotate: float
    """Largest rotation, in degrees."""
    light: float
    """Probability of the change of brightness and contrast."""
    brightness: float
    """Largest change of the brightness: grey values in [0, 1] are moved by at most this."""
    contrast: float
    """Largest change of the contrast: grey values are multiplied by 1 - this to 1 + this."""
    erase: float
    """Probability of erasing a random rectangle to black."""
    erase_area: tuple[float, float]
    """Range of the erased area, as a share of the image."""

    def __post_init__(self) -> None:
        shares = ("flip", "affine", "shift", "light", "brightness", "contrast", "erase")
        ranges = {key: (getattr(self, key), (0.0, 1.0)) for key in shares}
        ranges |= {"erase_area": (self.erase_area, (0.0, 1.0)), "scale": (self.scale, (0.1, 10.0))}
        for key, (value, (low, high)) in ranges.items():
            values = value if isinstance(value, tuple) else (value,)
            if not (low <= min(values) and max(values) <= high and values == tuple(sorted(values))):
                raise UserError(f"recipe.augmentation.{key}={value}: expected {low} to {high}, the lower first.")


class Augmentation(nn.Module):
    """Flip, crop with shift and scale, rotation, brightness and contrast, five crops, random erasing.

    All draws come from torch's global random stream, in the same order and number whether or not
    label maps go along: two schemes with the same seed see the same augmented images.
    """

    def __init__(self, settings: AugmentationSettings, crop: int | None) -> None:
        super().__init__()
        from kornia.augmentation import (  # slow to import
            AugmentationSequential,
            RandomAffine,
            RandomBrightness,
            RandomContrast,
            RandomErasing,
            RandomHorizontalFlip,
        )
        from kornia.constants import DataKey, Resample, SamplePadding

        self.crop = crop
        self.geometry = AugmentationSequential(
            RandomHorizontalFlip(p=settings.flip),
            RandomAffine(
                degrees=settings.rotate,
                translate=(settings.shift, settings.shift),
                scale=tuple(settings.scale),
                p=settings.affine,
                padding_mode="border",  # what comes in from outside continues the image, not a black frame
            ),
            data_keys=["input"],
            extra_args={DataKey.MASK: {"resample": Resample.NEAREST, "padding_mode": SamplePadding.ZEROS}},
        )
        self.light = AugmentationSequential(
            RandomBrightness((1 - settings.brightness, 1 + settings.brightness), p=settings.light),
            RandomContrast((1 - settings.contrast, 1 + settings.contrast), p=settings.light),
            data_keys=["input"],
        )
        self.erase = RandomErasing(scale=tuple(settings.erase_area), p=settings.erase)

    @torch.no_grad()
    def forward(self, images: Tensor, planes: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Augments a batch.

        images: uint8 (B, 1, H, W). planes: float32 (B, 1, H, W) that are flipped, shifted, scaled, rotated and
        cropped with their images, by nearest neighbour, 0 outside.
        Returns images float32 in [0, 1] and planes, (B, 1, H, W) or, with crops, (5 * B, 1, crop, crop).
        """
        warped = to_unit(images)
        if planes is None:
            warped = self.geometry(warped, data_keys=["input"])
        else:
            warped, planes = self.geometry(warped, planes, data_keys=["input", "mask"])
        warped = self.light(warped)
        if self.crop is not None:
            warped = five_crops(warped, self.crop)
            planes = None if planes is None else five_crops(planes, self.crop)
        return self.erase(warped), planes


def to_unit(images: Tensor) -> Tensor:
    """uint8 grey values as float32 in [0, 1]."""
    return images.float() / 255
