"""Facial features hidden on the fly: where they lie by the landmarks, how much of them, and by what."""

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
    def from_name(cls, name: str, coverage: Any = 1.0, fill: Any = "mean") -> "Part":
        """feature[@coverage][-fill]; what the name leaves open is given. UserError where it cannot be."""
        feature, _, rest = name.partition("@")
        if "-" in (rest or feature):
            (rest, fill) = (rest or feature).split("-", 1)
            feature, rest = (feature, rest) if "@" in name else (rest, "")
        if feature not in FEATURES:
            raise UserError(f"dataset.occluder={name}: expected none or some of {', '.join(FEATURES)}.")
        try:
            share = float(rest) if rest else coverage
        except ValueError:
            raise UserError(f"dataset.occluder={name}: {rest} is no coverage; expected a share, mouth@0.5.") from None
        number = isinstance(share, int | float) and not isinstance(share, bool)
        if not (number and 0 <= share <= 1):
            raise UserError(f"dataset.coverage={share} (of {feature}): expected a share from 0 to 1.")
        if fill not in FILLS:
            raise UserError(f"dataset.fill={fill}: expected one of {', '.join(FILLS)}.")
        return cls(feature, round(float(share), 6), fill)


@dataclass(frozen=True)
class Occluder:
    """Hides some parts of each face."""

    parts: tuple[Part, ...]

    @classmethod
    def from_config(cls, dataset: Any) -> "Occluder | None":
        """From conf/dataset's occluder, coverage and fill; None where nothing is hidden. UserError names the key."""
        asked = dataset.get("occluder", "none")
        names = [str(name) for name in ([asked] if isinstance(asked, str) else asked or ())]
        given = (dataset.get("coverage", 1.0), dataset.get("fill", "mean"))
        Part.from_name("mouth", *given)  # they are checked also where nothing is hidden
        if names in ([], ["none"]):
            return None
        return cls(tuple(Part.from_name(name, *given) for name in names))

    @classmethod
    def from_name(cls, name: str) -> "Occluder | None":
        """From what follows the first + in a dataset's name, as `name` writes it."""
        return cls.from_config({"occluder": name.split("+")})

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
