"""Equation 1 read literally: grey values in the place of attention (the control `grey_value`). There is no phase 1."""

from pydantic.dataclasses import dataclass
from torch import Tensor

from fer_perturb.checked import STRICT
from fer_perturb.schemes.attention.attention import Attention, Looker


@dataclass(frozen=True, config=STRICT)
class GreyValues(Attention):
    def maps(self, images: Tensor, classifier: Looker | None) -> Tensor:
        return images.squeeze(1)
