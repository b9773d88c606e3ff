"""Equation 1 read literally: grey values in the place of attention (the control `grey_value`)."""

from torch import Tensor, nn

from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.tasks.classifier import Classifier
from fer_perturb.tasks.recipe import Recipe

VERSION = 1  # raise it when what is clustered changes: stored results of older versions are not used again


class GreyValues(Classifier):
    """Stands where phase 1's classifier would stand, and learns nothing: an image's "attention" is the image."""

    def __init__(self, data: FaceDataModule, recipe: Recipe, seed: int) -> None:
        super().__init__(nn.Identity(), data, recipe, seed)

    def attention(self, images: Tensor) -> Tensor:
        """float (B, 1, H, W) in [0, 1] -> (B, H, W), the same values."""
        return images.squeeze(1)
