"""Where the facial features lie by their landmarks: functions of points (B, 68, 2), x and y in pixels of iBUG's 68."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Polygon = Tensor  # (B, n, 2): x and y in pixels of the corners, in order


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
    """Jaw and chin, up to the bridge of the nose: what a mask covers (mask_drawing.py), without the noise."""
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
