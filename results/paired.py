"""Statistics of paired differences: seeds are what is drawn, and images where they are at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

RESAMPLES = 4000


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences over seeds, in points; deviation is NaN for one seed, as all that follows."""

    n: int
    mean: float
    deviation: float

    @classmethod
    def of(cls, differences: Sequence[float]) -> "Difference":
        values = np.asarray(differences, dtype=float)
        deviation = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        return cls(len(values), float(values.mean()), deviation)

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return self.deviation / float(np.sqrt(self.n))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Student's, of the mean."""
        if self.n < 2:
            return float("nan"), float("nan")
        reach = float(t.ppf((1 + level) / 2, self.n - 1)) * self.error
        return self.mean - reach, self.mean + reach

    def above(self, bound: float) -> float:
        """p, one-sided: against the mean being `bound` or less."""
        if self.n < 2:
            return float("nan")
        if self.error == 0:
            return 0.0 if self.mean > bound else 1.0
        return float(t.sf((self.mean - bound) / self.error, self.n - 1))

    def below(self, bound: float) -> float:
        """p, one-sided: against the mean being `bound` or more."""
        return Difference(self.n, -self.mean, self.deviation).above(-bound)

    def equivalent(self, margin: float) -> float:
        """p of the two one-sided tests (Schuirmann 1987): against the mean being `margin` or more away from 0."""
        return max(self.above(-margin), self.below(margin))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p, in the order given."""
    adjusted, worst = [0.0] * len(p), 0.0
    for rank, place in enumerate(np.argsort(p, kind="stable")):
        worst = max(worst, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = worst
    return adjusted


def bootstrap(
    right: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], *, balanced: bool = True, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a difference in accuracy, in points, when seeds, and within classes images, are drawn anew.

    right: (seeds, images), of one arm's answers less another's, whether they are right: -1, 0 or 1, or a mean of such.
    labels: (images,). Each of RESAMPLES draws takes as many seeds and images as there are, with replacement.
    """
    random = np.random.default_rng(seed)
    seeds = len(right)
    drawn = random.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES) / seeds @ right  # (RESAMPLES, images)
    recall, share = [], []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        weights = random.multinomial(len(own), np.full(len(own), 1 / len(own)), RESAMPLES) / len(own)
        recall.append((weights * drawn[:, own]).sum(axis=1))
        share.append(1.0 if balanced else len(own))
    means = 100 * np.average(recall, axis=0, weights=share)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
