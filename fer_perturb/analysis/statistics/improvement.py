"""The probability that a run of one scheme beats a run of another (rliable: Agarwal et al. 2021, section 4.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

POINTS = 20001  # of the probabilities that an interval is looked for among


@dataclass(frozen=True)
class Improvement:
    """The probability in [0, 1], and its 95 % interval."""

    probability: float
    low: float
    high: float


def probability_of_improvement(first: Sequence[float], second: Sequence[float]) -> Improvement:
    """How often a seed's score of the first is above a seed's of the second, over all pairs; a tie is a half.

    It is Mann and Whitney's U over the number of pairs. The interval is Newcombe's (2006, method 5): all probabilities
    whose own standard error (Hanley and McNeil 1982) lets the found one be. Unlike a bootstrap's it has a width where
    all of five seeds are better, and covers.
    """
    a, b = np.asarray(first, dtype=float)[:, None], np.asarray(second, dtype=float)[None]
    found = float(((a > b) + 0.5 * (a == b)).mean())
    middle = (len(a) + b.shape[1]) / 2 - 1
    p = np.linspace(0, 1, POINTS)
    variance = p * (1 - p) * (1 + middle * ((1 - p) / (2 - p) + p / (1 + p))) / (len(a) * b.shape[1])
    fit = p[np.abs(p - found) <= ndtri(0.975) * np.sqrt(variance)]
    return Improvement(found, float(min(fit.min(initial=found), found)), float(max(fit.max(initial=found), found)))
