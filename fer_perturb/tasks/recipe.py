"""How a network is trained and tested (conf/recipe)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from fer_perturb.data.augment import AugmentationSettings
from fer_perturb.data.crops import TestTimeAugmentation
from fer_perturb.errors import UserError


@dataclass(frozen=True)
class Recipe:
    """Optimiser, schedule, epochs, batches, augmentation and test-time augmentation."""

    name: str
    epochs: int
    batch_size: int
    """Images a step, before crops and views."""
    precision: str
    """Lightning's precision: bf16-mixed, 32-true, 16-mixed, …"""
    channels_last: bool
    label_smoothing: float
    crop: int | None
    """Side of the crops in pixels (five in training; the centre or ten in testing); None: the whole image."""
    tta: TestTimeAugmentation
    augmentation: AugmentationSettings
    optimizer: Callable[..., torch.optim.Optimizer]
    scheduler: Callable[..., Any]

    @classmethod
    def from_config(cls, config: DictConfig, image_size: tuple[int, int]) -> "Recipe":
        """Raises UserError for a value that cannot work, naming its key."""
        plain: Any = OmegaConf.to_container(config, resolve=True)
        plain["augmentation"] = AugmentationSettings(
            **{**plain["augmentation"], "scale": tuple(plain["augmentation"]["scale"])}
        )
        plain["optimizer"] = instantiate(config.optimizer)
        plain["scheduler"] = instantiate(config.scheduler)
        recipe = cls(**plain)
        recipe._check(image_size)
        return recipe

    def input_size(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of what the network sees."""
        return image_size if self.crop is None else (self.crop, self.crop)

    def _check(self, image_size: tuple[int, int]) -> None:
        if self.tta not in ("none", "flip", "ten"):
            raise UserError(f"recipe.tta={self.tta}: expected none, flip or ten.")
        if self.tta == "ten" and self.crop is None:
            raise UserError("recipe.tta=ten needs the side of the crops: set recipe.crop, to 40 for example.")
        if self.crop is not None and not 1 <= self.crop <= min(image_size):
            raise UserError(
                f"recipe.crop={self.crop}: the images are {image_size[0]}x{image_size[1]}, "
                f"so expected a side of 1 to {min(image_size)} pixels, or null."
            )
        for key in ("epochs", "batch_size"):
            if getattr(self, key) < 1:
                raise UserError(f"recipe.{key}={getattr(self, key)}: expected at least 1.")
