"""Ratios of means over images, with what other images, and other seeds, would change."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A number and its 95 % interval; NaN where there is nothing to say it of."""

    value: float
    low: float
    high: float

    def beyond(self, bound: float) -> int:
        """1: the whole interval lies above `bound`; -1: below; 0: it holds `bound`, or there is none."""
        return int(self.low > bound) - int(self.high < bound)


class Resampling:
    """Draws of images, with replacement within each of their `groups` (N,), and of seeds: the same for all that it is
    asked, so that differences are paired (the hierarchical bootstrap of analysis/statistics)."""

    def __init__(self, groups: NDArray[np.integer[Any]], seeds: int, *, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.images = np.empty((RESAMPLES + 1, len(groups)), dtype=np.float64)
        self.images[0] = 1.0  # as they are
        for group in np.unique(groups):
            own = np.flatnonzero(groups == group)
            self.images[1:, own] = random.multinomial(len(own), np.full(len(own), 1 / len(own)), RESAMPLES)
        drawn = random.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES).astype(np.float64)
        self.seeds = np.concatenate([np.ones((1, seeds)), drawn])

    def ratios(self, over: Array, under: Array) -> Array:
        """Sum over `over` by sum over `under`, both (seeds, N, K): (1 + RESAMPLES, K), the first as they are.

        Images that have no number (NaN) in `over` count in neither; 0 by 0 is NaN.
        """
        known = ~np.isnan(over)
        above = self._sums(np.where(known, over, 0.0))
        below = self._sums(np.where(known, under, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            return above / below

    def _sums(self, values: Array) -> Array:
        each = np.stack([self.images @ of for of in values])  # (seeds, R, K)
        sums: Array = np.einsum("rs,srk->rk", self.seeds, each)
        return sums


def intervals(drawn: Array) -> list[Interval]:
    """What `Resampling.ratios` gave, or differences of it: an Interval a column, by percentiles."""
    found = []
    for column in drawn.T:
        draws = column[1:][np.isfinite(column[1:])]
        low, high = np.percentile(draws, [2.5, 97.5]) if len(draws) else (np.nan, np.nan)
        found.append(Interval(float(column[0]), float(low), float(high)))
    return found
