"""The gates of phase 1's classifier (paper, section 3): it is trained first, and then stays as it is."""

from typing import Annotated, Any, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from fer_perturb.checked import STRICT
from fer_perturb.schemes.attention.attention import Attention, Looker


@dataclass(frozen=True, config=STRICT)
class PhaseOneGates(Attention):
    """conf/attention_model is the network whose gates these are."""

    epochs: Annotated[int, Field(ge=1)] | None
    """of phase 1; None: as many as the predictor's"""
    has_phase_1: ClassVar[bool] = True

    def maps(self, images: Tensor, classifier: Looker | None) -> Tensor:
        assert classifier is not None
        return classifier.attention(images)

    def identity(self) -> dict[str, Any]:
        return {name: value for name, value in super().identity().items() if name != "epochs"}  # phase 1's key has it

    @property
    def phase_1_epochs(self) -> int | None:
        return self.epochs
