"""What the drawing is made of: batches of parameters, and how much of each pixel a shape covers.

Distances and positions are arrays (B, h, w) in any unit; `half` is half a pixel in that unit.
"""

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Floats = NDArray[np.floating[Any]]  # float32 in fact; what numpy declares of its arithmetic is less exact
Batch = TypeVar("Batch", bound="DataclassInstance")


def take(batch: Batch, rows: slice | NDArray[np.intp], ndim: int) -> Batch:
    """Some rows of a dataclass of arrays (N, …), nested or not, each as (B, 1, …) with `ndim` axes."""
    taken: dict[str, Any] = {}
    for field in fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, np.ndarray):
            taken[field.name] = value[rows].reshape(-1, *[1] * (ndim - 1))
        elif isinstance(value, tuple):
            taken[field.name] = tuple(take(part, rows, ndim) for part in value)
        else:
            taken[field.name] = take(value, rows, ndim)
    return replace(batch, **taken)


def inside(distance: Floats, half: Floats) -> Floats:
    """Share of each pixel covered by a shape; `distance` to its edge, negative inside."""
    return (0.5 - distance / (half + half)).clip(0.0, 1.0)


def between(position: Floats, half: Floats, low: Floats | float, high: Floats | float) -> Floats:
    """Share of each pixel that lies between `low` and `high` along one axis; right for thin bands too."""
    return ((np.minimum(position + half, high) - np.maximum(position - half, low)) / (half + half)).clip(0.0, 1.0)


def line(position: Floats, half: Floats, middle: Floats | float, thickness: Floats | float) -> Floats:
    """Coverage by a band of that thickness around `middle`."""
    return between(position, half, middle - 0.5 * thickness, middle + 0.5 * thickness)


def blend(canvas: Floats, alpha: Floats, tone: Floats | float) -> None:
    """Lays `tone` over the canvas."""
    canvas += alpha * (tone - canvas)


def bump(distance_squared: Floats) -> Floats:
    """1 at 0, falling smoothly to 0 at 1."""
    rest: Floats = np.maximum(1.0 - distance_squared, 0.0)
    return rest * rest


def zigzag(phase: Floats) -> Floats:
    """A triangle wave of period 1 between -1 and 1."""
    from_nearest: Floats = np.abs(phase - np.floor(phase + 0.5))
    return 4.0 * from_nearest - 1.0
