"""In training a random rectangle is hidden, as large as the cluster in its place (the control `extra_erasing`)."""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from fer_perturb.checked import STRICT
from fer_perturb.data.augmentation.augment import rectangles
from fer_perturb.schemes.regions.around import Around


@dataclass(frozen=True, config=STRICT)
class Rectangles(Around):
    """Random erasing is Zhong et al. 2020's. In testing the clusters are hidden, which the predictor has not seen."""

    def hidden_in_training(self, maps: Tensor, views: Tensor) -> Tensor:
        areas = self.of.hidden(maps, views).sum(dim=(-2, -1)).float()[..., None, None]  # (r, B, 1, 1), in pixels
        shape, left, top = torch.rand(3, *areas.shape, device=areas.device)
        return rectangles(maps.shape[-2:], areas, shape, left, top) & (areas > 0)  # an area of 0 hides nothing
