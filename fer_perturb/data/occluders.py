"""Facial features hidden on the fly: where they lie by the landmarks, how much of them, and by what."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from fer_perturb.errors import UserError

Polygon = Tensor  # (B, n, 2): x and y in pixels of the corners, in order
VERSION = 2  # raise it when the same parts would be hidden otherwise: results of older versions are not used again
NOISE = 1 << 14  # random numbers that the fill `noise` is cut from


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


def shrunk(polygon: Polygon, coverage: float) -> Polygon:
    """The polygon with so much of its area, about its middle."""
    middle = polygon.mean(dim=1, keepdim=True)
    return middle + math.sqrt(coverage) * (polygon - middle)


def inside(polygon: Polygon, size: tuple[int, int]) -> Tensor:
    """bool (B, H, W): whose middle lies in the polygon, by the parity of the edges to the right of it."""
    height, width = size
    x, y = polygon.unbind(dim=2)
    x0, y0 = x.roll(1, dims=1)[..., None], y.roll(1, dims=1)[..., None]
    x1, y1 = x[..., None], y[..., None]  # (B, n, 1)
    rows = torch.arange(height, device=x.device, dtype=x.dtype)
    crosses = (y0 > rows) != (y1 > rows)  # (B, n, H)
    at = x0 + (rows - y0) * ((x1 - x0) / torch.where(y1 == y0, 1.0, y1 - y0))
    # an edge lies to the right of the columns before `end`; those without a crossing end in a column of their own
    end = torch.where(crosses, at.ceil().clamp(0, width), width + 1.0).long()
    ends = torch.zeros((len(x), height, width + 2), dtype=torch.int32, device=x.device)
    ends.scatter_add_(2, end.mT, torch.ones_like(end.mT, dtype=torch.int32))
    right = crosses.sum(dim=1, dtype=torch.int32)[..., None] - ends[..., :width].cumsum(dim=2, dtype=torch.int32)
    return (right & 1).bool()


# where the features lie


def eye_distance(points: Tensor) -> Tensor:
    """(B, 1, 1): from the middle of one eye to that of the other."""
    apart: Tensor = (points[:, 36:42].mean(dim=1) - points[:, 42:48].mean(dim=1)).norm(dim=1)
    return apart[:, None, None]


def padded(points: Tensor, pad: Tensor) -> Polygon:
    """Corners moved away from their middle by `pad` (B, 1, 1) pixels."""
    away = points - points.mean(dim=1, keepdim=True)
    moved: Tensor = points + pad * away / away.norm(dim=2, keepdim=True).clamp(min=1e-6)
    return moved


def mouth(points: Tensor) -> list[Polygon]:
    return [padded(points[:, 48:60], 0.04 * eye_distance(points))]


def nose(points: Tensor) -> list[Polygon]:
    side = 0.12 * (points[:, 35:36] - points[:, 31:32])
    top = points[:, 27:28]
    return [padded(torch.cat([top - side, points[:, 31:36], top + side], dim=1), 0.06 * eye_distance(points))]


def eyes(points: Tensor) -> list[Polygon]:
    """Ellipses, since a closed eye's corners enclose nothing."""
    return [_ellipse(points[:, of], wide=1.25, high=0.75) for of in (slice(36, 42), slice(42, 48))]


def _ellipse(eye: Tensor, *, wide: float, high: float) -> Polygon:
    middle = eye.mean(dim=1, keepdim=True)
    along = (eye[:, 3:4] - eye[:, 0:1]) / 2
    across = torch.stack([-along[..., 1], along[..., 0]], dim=2)
    turn = torch.arange(12, device=eye.device) * (2 * math.pi / 12)
    return middle + wide * along * turn.cos()[None, :, None] + high * across * turn.sin()[None, :, None]


def brows(points: Tensor) -> list[Polygon]:
    found = []
    for of in (slice(17, 22), slice(22, 27)):
        brow = points[:, of]
        along = brow[:, -1:] - brow[:, :1]
        up = torch.stack([along[..., 1], -along[..., 0]], dim=2)
        up = up / up.norm(dim=2, keepdim=True).clamp(min=1e-6) * 0.1 * eye_distance(points)
        found.append(padded(torch.cat([brow + up, (brow - up).flip(1)], dim=1), 0.04 * eye_distance(points)))
    return found


def mask(points: Tensor) -> list[Polygon]:
    """Jaw and chin, up to the bridge of the nose: what a mask covers (drawn_masks.py), without the noise."""
    down = 0.12 * (points[:, 30:31] - points[:, 27:28])
    left = 0.5 * points[:, 40:42].mean(dim=1, keepdim=True) + 0.5 * points[:, 31:32] + down
    right = 0.5 * points[:, 46:48].mean(dim=1, keepdim=True) + 0.5 * points[:, 35:36] + down
    bridge = 0.6 * points[:, 28:29] + 0.4 * points[:, 29:30]
    return [torch.cat([points[:, 1:16], right, bridge, left], dim=1)]


def lower(points: Tensor) -> list[Polygon]:
    """The face below a line through the middle of the nose."""
    return [torch.cat([points[:, 2:15], points[:, 29:30]], dim=1)]


def upper(points: Tensor) -> list[Polygon]:
    """The face above that line, with a forehead as high over the brows as the eyes lie apart."""
    up = points[:, 27:28] - points[:, 8:9]
    up = up / up.norm(dim=2, keepdim=True).clamp(min=1e-6) * eye_distance(points)
    forehead = [points[:, at : at + 1] + share * up for at, share in ((17, 0.5), (19, 1.0), (24, 1.0), (26, 0.5))]
    return [torch.cat([points[:, :3].flip(1), *forehead, points[:, 14:17].flip(1), points[:, 29:30]], dim=1)]


FEATURES: dict[str, Callable[[Tensor], Sequence[Polygon]]] = {
    "mask": mask, "mouth": mouth, "nose": nose, "eyes": eyes, "brows": brows, "upper": upper, "lower": lower
}  # fmt: skip


# what they are hidden by: uint8 (B, 1, H, W) images and their hidden pixels, bool, of all parts -> uint8 (B, 1, H, W)


def mean(images: Tensor, hidden: Tensor) -> Tensor:
    """The mean grey value of each picture."""
    return images.float().mean(dim=(2, 3), keepdim=True).round().to(torch.uint8).expand_as(images)


def noise(images: Tensor, hidden: Tensor) -> Tensor:
    """Grey values without order, a function of the picture."""
    bank = _noise_bank(images.device)
    pixels = torch.arange(images[0].numel(), device=images.device)
    start = images.flatten(1).sum(dim=1, dtype=torch.int64)
    return bank[(start[:, None] + pixels) % NOISE].view_as(images)


@cache
def _noise_bank(device: torch.device) -> Tensor:
    return torch.randint(256, (NOISE,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8).to(device)


def blur(images: Tensor, hidden: Tensor) -> Tensor:
    """The picture out of focus: means over squares of a twelfth of its side and over their neighbours, drawn large."""
    side = max(2, min(images.shape[2:]) // 12)
    coarse = avg_pool2d(images.float(), side, ceil_mode=True, count_include_pad=False)
    coarse = avg_pool2d(coarse, 3, stride=1, padding=1, count_include_pad=False)
    soft = interpolate(coarse, size=images.shape[2:], mode="bilinear", align_corners=False)
    return soft.round().to(torch.uint8)


def skin(images: Tensor, hidden: Tensor) -> Tensor:
    """What surrounds the hidden pixels, drawn smoothly inwards (push and pull: Gortler et al. 1996)."""
    known = (~hidden).float()
    levels = [torch.cat([images.float() * known, known], dim=1)]  # grey values by their weight, and the weight
    while min(levels[-1].shape[2:]) > 1:
        levels.append(avg_pool2d(levels[-1], 2, ceil_mode=True))
    weighted, weight = levels[-1].sum(dim=(2, 3), keepdim=True).chunk(2, dim=1)
    filled = weighted / weight.clamp(min=1e-6)
    for level in reversed(levels):
        weighted, weight = level.chunk(2, dim=1)
        coarse = interpolate(filled, size=level.shape[2:], mode="bilinear", align_corners=False)
        filled = weighted + (1 - weight) * coarse
    return filled.round_().clamp_(0, 255).to(torch.uint8)


FILLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mean": mean, "noise": noise, "blur": blur, "skin": skin}
