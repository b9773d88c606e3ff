"""A mean and what Student's t says of it; and the mean over seeds, of a score or of paired differences of scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln, nctdtr, stdtr, stdtrit

NAN = float("nan")


@dataclass(frozen=True)
class Estimate:
    """A mean, its standard error, and the error's degrees of freedom; NaN follows where there is less than one."""

    mean: float
    error: float
    freedom: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Student's, of the mean."""
        if self.freedom < 1:
            return NAN, NAN
        reach = float(stdtrit(self.freedom, (1 + level) / 2)) * self.error
        return self.mean - reach, self.mean + reach

    def above(self, bound: float) -> float:
        """p, one-sided: against the mean being `bound` or less."""
        if self.freedom < 1:
            return NAN
        if self.error == 0:
            return 0.0 if self.mean > bound else 1.0
        return float(stdtr(self.freedom, (bound - self.mean) / self.error))

    def below(self, bound: float) -> float:
        """p, one-sided: against the mean being `bound` or more."""
        return Estimate(-self.mean, self.error, self.freedom).above(-bound)

    def equivalent(self, margin: float) -> float:
        """p of the two one-sided tests (Schuirmann 1987): against the mean being `margin` or more away from 0."""
        return max(self.above(-margin), self.below(margin))

    @property
    def p(self) -> float:
        """Two-sided: against the mean being 0."""
        return min(1.0, 2 * min(self.above(0), self.below(0))) if self.freedom >= 1 else NAN

    def __sub__(self, other: "Estimate") -> "Estimate":
        """The difference of two that have nothing in common (Welch 1947)."""
        parts = self.error**2, other.error**2
        total = sum(parts)
        spread = sum(part**2 / of.freedom for part, of in zip(parts, (self, other), strict=True) if of.freedom >= 1)
        known = self.freedom >= 1 and other.freedom >= 1
        freedom = total**2 / spread if spread > 0 else min(self.freedom, other.freedom)
        return Estimate(self.mean - other.mean, float(np.sqrt(total)), freedom if known else 0)


@dataclass(frozen=True)
class OverSeeds(Estimate):
    """The mean of `n` seeds' scores, or differences, and their standard deviation; one seed has none (NaN)."""

    n: int
    deviation: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "OverSeeds":
        each = np.asarray(values, dtype=float)
        n = len(each)
        deviation = float(each.std(ddof=1)) if n > 1 else NAN
        return cls(float(each.mean()), deviation / float(np.sqrt(n)), n - 1, n, deviation)

    @property
    def effect(self) -> float:
        """The mean in deviations of a seed, free of bias (Hedges 1981); of paired differences it is called d_z.

        NaN where two seeds are all there is, or where they do not differ.
        """
        if self.n < 3 or self.deviation == 0:
            return NAN
        half = self.freedom / 2
        unbiased = np.exp(gammaln(half) - gammaln(half - 0.5)) / np.sqrt(half)
        return float(unbiased * self.mean / self.deviation)


def effect_interval(of: OverSeeds, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of the true mean in true deviations, by the noncentral t (Steiger and Fouladi 1997)."""
    if of.n < 2 or of.deviation == 0:
        return NAN, NAN
    found = of.mean / of.error
    width = 5 + 5 * abs(found)

    def above(shift: float, share: float) -> float:
        below = nctdtr(of.freedom, shift, found)
        return (float(shift < found) if np.isnan(below) else float(below)) - share  # far away it is 1 or 0

    def end(share: float) -> float:
        return float(brentq(above, found - width, found + width, args=(share,), xtol=1e-6)) / float(np.sqrt(of.n))

    return end((1 + level) / 2), end((1 - level) / 2)
