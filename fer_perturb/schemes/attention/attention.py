"""What every kind of attention says of itself."""

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from torch import Tensor

from fer_perturb.schemes.part import Part


class Looker(Protocol):
    """What may be asked of a classifier (tasks/training/classifier.py)."""

    def attention(self, images: Tensor) -> Tensor:
        """float (B, 1, H, W) in [0, 1] -> the maps of its spatial gates, float32 (B, H, W) in [0, 1]."""
        ...


class Attention(Part, ABC):
    """Where a scheme looks. Subclasses are frozen dataclasses, made from conf/scheme/attention by `_target_`."""

    has_phase_1: ClassVar[bool] = False
    """Whether phase 1 trains a classifier for it, which then stays as it is."""
    follows_predictor: ClassVar[bool] = False
    """Whether it is the predictor's, and changes as that learns; else phase 2 stores it once and for all."""

    @abstractmethod
    def maps(self, images: Tensor, classifier: Looker | None) -> Tensor:
        """Where it looks in images float (B, 1, H, W) in [0, 1]: float (B, H, W), any range.

        classifier: phase 1's, or the predictor, as the attributes above say; else None.
        """

    @property
    def phase_1_epochs(self) -> int | None:
        """How long phase 1 trains; None: as long as the predictor."""
        return None

    def check_network(self, gated: bool) -> None:
        """ValueError where the predictor's network, with or without spatial gates (`gated`), cannot serve it."""
