"""The predictor's own gates: it looks at itself, anew each epoch, and there is no phase 1."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor

from fer_perturb.checked import STRICT
from fer_perturb.schemes.attention.attention import Attention, Looker


@dataclass(frozen=True, config=STRICT)
class OwnGates(Attention):
    follows_predictor: ClassVar[bool] = True

    def maps(self, images: Tensor, classifier: Looker | None) -> Tensor:
        assert classifier is not None
        return classifier.attention(images)

    def check_network(self, gated: bool) -> None:
        if not gated:
            raise ValueError(
                "scheme/attention=own_gates needs a gated predictor: set model.attention.at=[stage1,stage2]."
            )
