"""What is said of a face."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Box:
    """Where a face is in its picture, upright: in pixels from the left and from the top."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Face:
    """A face and what a network says of it.

    box: where it was found; None: the whole picture. probabilities: emotion -> a share of 1. views: the same of each
    view, without each cluster in turn and, last, of the image itself; none where the run's scheme hides nothing.
    image: float32 (h, w) in [0, 1], as the network sees it. attention: float32 (h, w), any range; None: it has none.
    clusters: int8 (h, w), -1 = never hidden; None without views.
    """

    box: Box | None
    probabilities: dict[str, float]
    views: tuple[dict[str, float], ...]
    image: NDArray[np.float32]
    attention: NDArray[np.float32] | None
    clusters: NDArray[np.int8] | None

    @property
    def emotion(self) -> str:
        return likeliest(self.probabilities)

    @property
    def votes(self) -> tuple[str, ...]:
        """The emotion that each view has."""
        return tuple(likeliest(of) for of in self.views)

    def as_json(self) -> dict[str, Any]:
        """All but the arrays."""
        box = None if self.box is None else [self.box.left, self.box.top, self.box.width, self.box.height]
        said = {"box": box, "emotion": self.emotion, "probabilities": _rounded(self.probabilities)}
        return said | {"votes": list(self.votes), "views": [_rounded(of) for of in self.views]}


def likeliest(probabilities: dict[str, float]) -> str:
    return max(probabilities, key=probabilities.__getitem__)


def _rounded(probabilities: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in probabilities.items()}
