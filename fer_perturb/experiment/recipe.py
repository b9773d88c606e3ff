"""How a network is trained and tested (conf/recipe)."""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from pydantic.dataclasses import dataclass

from fer_perturb.checked import STRICT, checked, made
from fer_perturb.data.augmentation.augment import AugmentationSettings
from fer_perturb.data.augmentation.crops import TestTimeAugmentation
from fer_perturb.errors import UserError


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """Optimiser, schedule, epochs, batches, augmentation and test-time augmentation."""

    name: str
    epochs: int
    batch_size: int
    """Images a step, before crops and views."""
    precision: str
    """Lightning's precision: bf16-mixed, 32-true, 16-mixed, …; `auto` is resolved before (precision.py)."""
    channels_last: bool
    compile: Literal["default", "reduce-overhead", "max-autotune"] | None
    """torch.compile's mode for the network in training; None: as it is."""
    label_smoothing: float
    mixup: float
    """alpha of mixup's Beta(alpha, alpha); 0: none."""
    crop: int | None
    """Side of the crops in pixels (five in training; the centre or ten in testing); None: the whole image, and in
    testing, of ten, shifted."""
    initial_size: int | None
    """Side in pixels of the network's input in the first epochs; None, or no less than it: the full size in all."""
    tta: TestTimeAugmentation
    augmentation: AugmentationSettings
    optimizer: Callable[..., torch.optim.Optimizer]
    scheduler: Callable[..., Any]

    @classmethod
    def from_settings(cls, settings: dict[str, Any], image_size: tuple[int, int]) -> "Recipe":
        """Raises UserError for a value that cannot work, naming its key."""
        plain = dict(settings)
        augmentation = {k: tuple(v) if isinstance(v, list) else v for k, v in plain["augmentation"].items()}
        plain["augmentation"] = checked(AugmentationSettings, augmentation, "recipe.augmentation")
        plain["optimizer"] = made(settings["optimizer"], "recipe.optimizer")
        plain["scheduler"] = made(settings["scheduler"], "recipe.scheduler")
        recipe = checked(cls, plain, "recipe")
        recipe._check(image_size)
        return recipe

    def input_size(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of what the network sees."""
        return image_size if self.crop is None else (self.crop, self.crop)

    def training_sizes(self, image_size: tuple[int, int]) -> list[tuple[int, int]]:
        """Height and width of the network's input in each epoch of training.

        With `initial_size` it grows by 8 pixels at a time, in equal shares of the first three quarters of the epochs:
        small pictures cost less, and are enough to begin with (progressive resizing; Karras et al. 2018 for the
        idea, fast.ai's DAWNBench entry of 2018 for classifiers). Testing is always at the full size.
        """
        height, width = self.input_size(image_size)
        if self.initial_size is None:
            return [(height, width)] * self.epochs
        full = min(height, width)
        small = range(self.initial_size, full, 8)
        if not small:  # the images are no larger than that
            return [(height, width)] * self.epochs
        growing = self.epochs * 3 // 4
        sides = [small[epoch * len(small) // growing] for epoch in range(growing)] + [full] * (self.epochs - growing)
        return [(height * side // full, width * side // full) for side in sides]

    @property
    def crops(self) -> int:
        """Versions of each image that a training step sees."""
        return 1 if self.crop is None else 5

    def _check(self, image_size: tuple[int, int]) -> None:
        if self.crop is not None and not 1 <= self.crop <= min(image_size):
            raise UserError(
                f"recipe.crop={self.crop}: the images are {image_size[0]}x{image_size[1]}, "
                f"so expected a side of 1 to {min(image_size)} pixels, or null."
            )
        full = min(self.input_size(image_size))
        if self.initial_size is not None and self.initial_size < 1:
            raise UserError(
                f"recipe.initial_size={self.initial_size}: the network's input is {full} pixels wide; expected a "
                f"side of 1 to {full - 1} pixels to begin with, or null."
            )
        if not (math.isfinite(self.mixup) and self.mixup >= 0):
            raise UserError(f"recipe.mixup={self.mixup}: expected a finite number, 0 or more (0: no mixup).")
        for key in ("epochs", "batch_size"):
            if getattr(self, key) < 1:
                raise UserError(f"recipe.{key}={getattr(self, key)}: expected at least 1.")
        try:
            self.optimizer([torch.nn.Parameter(torch.zeros(1))])
        except (TypeError, ValueError) as error:
            raise UserError(f"recipe.optimizer cannot work: {error}") from error
