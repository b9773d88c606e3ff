"""Tests that are no Student's t."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p, in the order given. What cannot be said (NaN, of one seed) counts as 1."""
    p = np.where(np.isnan(p), 1.0, p).tolist()
    adjusted, worst = [0.0] * len(p), 0.0
    for rank, place in enumerate(np.argsort(p, kind="stable")):
        worst = max(worst, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = worst
    return adjusted


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """p, two-sided and exact (McNemar 1947): against two networks being right equally often on such images.

    first, second: (images,), whether each is right on the same ones. It knows these two networks, and no other seed's:
    what it finds is no property of their schemes.
    """
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))
