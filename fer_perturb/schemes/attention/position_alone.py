"""No attention at all: the clusters follow from the pixels' positions alone (the control `position_only`)."""

from pydantic.dataclasses import dataclass
from torch import Tensor, zeros_like

from fer_perturb.checked import STRICT
from fer_perturb.schemes.attention.attention import Attention, Looker


@dataclass(frozen=True, config=STRICT)
class PositionAlone(Attention):
    """A constant map, which Eq. 1 drops. There is no phase 1."""

    def maps(self, images: Tensor, classifier: Looker | None) -> Tensor:
        return zeros_like(images.squeeze(1))
