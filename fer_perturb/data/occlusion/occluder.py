"""Facial features hidden on the fly: where they lie by the landmarks, how much of them, and by what."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fer_perturb.data.occlusion.features import FEATURES, inside, shrunk
from fer_perturb.data.occlusion.fills import FILLS
from fer_perturb.errors import UserError

VERSION = 2  # raise it when the same parts would be hidden otherwise: results of older versions are not used again


@dataclass(frozen=True)
class Part:
    """One hidden feature (a key of FEATURES): the share `coverage` of it in [0, 1], from its middle on, by `fill`."""

    feature: str
    coverage: float
    fill: str

    @property
    def name(self) -> str:
        """As in mouth@0.5; a fill other than mean follows, as in mouth@0.5-noise."""
        share = f"{self.coverage:.6f}".rstrip("0").rstrip(".")
        return f"{self.feature}@{share}" + ("" if self.fill == "mean" else f"-{self.fill}")

    @classmethod
    def from_name(cls, name: str) -> "Part":
        """feature[@coverage][-fill]: all of it, by the picture's mean, where nothing else is said. Raises UserError."""
        what, _, fill = name.rpartition("-") if re.search(r"-[a-z]+$", name) else (name, "", "mean")
        feature, at, coverage = what.partition("@")
        said = f"dataset.occluder={name}"
        if feature not in FEATURES:
            raise UserError(
                f"{said}: expected none, or one of {', '.join(FEATURES)}, or several, as in mouth@0.5+eyes@1-noise."
            )
        try:
            share = float(coverage) if at else 1.0
        except ValueError:
            raise UserError(f"{said}: {coverage} is no coverage; expected a share, mouth@0.5.") from None
        if not 0 <= share <= 1:
            raise UserError(f"{said}: a coverage of {coverage}; expected a share from 0 to 1.")
        if fill not in FILLS:
            raise UserError(f"{said}: {fill} is no fill; expected one of {', '.join(FILLS)}, as in mouth@1-noise.")
        return cls(feature, round(share, 6), fill)


@dataclass(frozen=True)
class Occluder:
    """Hides some parts of each face."""

    parts: tuple[Part, ...]

    @classmethod
    def from_name(cls, name: Any) -> "Occluder | None":
        """From dataset.occluder, or what follows the first + in a dataset's name: parts joined by +, as `name` writes
        them; None for none. Raises UserError.
        """
        if not isinstance(name, str):
            several = isinstance(name, Iterable) and all(isinstance(part, str) for part in name)
            expected = "+".join(name) if several and name else "mouth@0.5+eyes@1-noise"
            raise UserError(
                f"dataset.occluder={name}: expected none, or names joined by +, dataset.occluder={expected}"
            )
        return None if name == "none" else cls(tuple(Part.from_name(part) for part in name.split("+")))

    @property
    def version(self) -> int:
        """Changes when the same name hides something else."""
        return VERSION

    @property
    def name(self) -> str:
        """As in `fer2013+mouth@0.5` or `fer2013+mouth@0.5+eyes@1-noise`, what follows the first +."""
        return "+".join(part.name for part in self.parts)

    def __call__(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """images uint8 (B, 1, H, W) and their landmarks (B, 68, 2) -> uint8 (B, 1, H, W)."""
        shown, hidden = images, self.hidden(landmarks, (images.shape[2], images.shape[3]))
        unknown = torch.stack(hidden).any(dim=0).unsqueeze(1)
        fills = {fill: FILLS[fill](images, unknown) for fill in dict.fromkeys(part.fill for part in self.parts)}
        for part, of in zip(self.parts, hidden, strict=True):
            shown = torch.where(of.unsqueeze(1), fills[part.fill], shown)
        return shown

    def hidden(self, landmarks: Tensor, size: tuple[int, int]) -> list[Tensor]:
        """landmarks (B, 68, 2), size = H, W -> for each part bool (B, H, W): the pixels that are hidden."""
        points, found = landmarks.float(), []
        for part in self.parts:
            polygons = FEATURES[part.feature](points)  # with as many corners, if there are several
            drawn = inside(shrunk(torch.cat(list(polygons)), part.coverage), size)
            found.append(drawn.view(len(polygons), -1, *size).any(dim=0))
        return found
