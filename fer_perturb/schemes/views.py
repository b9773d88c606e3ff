"""How a scheme shows its images: in which views the predictor is trained, and what fills their hidden pixels.

View c < n of an image leaves region c out, and the last, view n, is the image itself. In testing all n+1 are shown.
"""

from abc import ABC, abstractmethod
from typing import Annotated, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from fer_perturb.checked import STRICT
from fer_perturb.perturb.views import draw_views
from fer_perturb.schemes.part import Part

GreyValue = Annotated[int, Field(ge=0, le=255)]


@dataclass(frozen=True, config=STRICT)
class Views(Part, ABC):
    """Made from conf/scheme/views by `_target_`."""

    fill: Literal["black", "mean"] | GreyValue
    """what hidden pixels are set to: black, the training images' mean, or a grey value"""

    @abstractmethod
    def of_a_step(self, count: int, n: int, device: torch.device) -> Tensor:
        """The views that a training step shows of `count` images with n regions: int64 (r, count) in 0..n, r of each.

        What is drawn comes from torch's random stream on `device`, which each step seeds.
        """

    @abstractmethod
    def per_image(self, n: int) -> int:
        """r: in how many views a step shows each image."""

    def fill_value(self, mean: float) -> float:
        """The fill as a grey value in [0, 1]; `mean` is the training images'."""
        if self.fill == "mean":
            return mean
        return 0.0 if self.fill == "black" else float(self.fill) / 255


@dataclass(frozen=True, config=STRICT)
class AllViews(Views):
    """Every image in all of its n+1 views (the paper's)."""

    def of_a_step(self, count: int, n: int, device: torch.device) -> Tensor:
        return all_views(count, n, device)

    def per_image(self, n: int) -> int:
        return n + 1


@dataclass(frozen=True, config=STRICT)
class SampledView(Views):
    """Each image in one view, drawn for itself: a step costs what the baseline's does."""

    clean_share: Annotated[float, Field(ge=0, le=1)] | None
    """share of whole images; None: 1 / (n + 1)"""

    def of_a_step(self, count: int, n: int, device: torch.device) -> Tensor:
        return draw_views(count, n, self.clean_share, device)[None]

    def per_image(self, n: int) -> int:
        return 1


def all_views(count: int, n: int, device: torch.device) -> Tensor:
    """All views of `count` images, int64 (n+1, count): what is shown in testing."""
    return torch.arange(n + 1, device=device)[:, None].expand(-1, count)
