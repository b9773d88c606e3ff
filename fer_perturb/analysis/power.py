"""How many seeds an effect needs, from the deviation between seeds that was measured (noncentral t)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaincinv, ndtr, stdtrit
from scipy.stats import nct

from fer_perturb.errors import UserError

ALPHA = 0.025  # one-sided, as the end of a 95 % interval
MOST = 10_000  # seeds


def power(effect: float, deviation: float, n: int, alpha: float = ALPHA) -> float:
    """The probability that `n` pairs of seeds show a true mean difference of `effect` to be above 0, one-sided.

    effect, deviation: in the same unit (points); deviation is that of the paired differences. To exclude a gain of a
    margin where the truth is `loss` below it, effect is margin + loss.
    """
    if n < 2:
        return 0.0
    if deviation == 0:
        return float(effect > 0)
    return float(nct.sf(stdtrit(n - 1, 1 - alpha), n - 1, effect / deviation * np.sqrt(n)))


def power_of_equivalence(margin: float, deviation: float, n: int, alpha: float = ALPHA, effect: float = 0.0) -> float:
    """The probability that the two one-sided tests show a difference of `effect` to lie within `margin` of 0."""
    if n < 2:
        return 0.0
    if deviation == 0:
        return float(abs(effect) < margin)
    error = deviation / np.sqrt(n)
    drawn = _relative((np.arange(2000) + 0.5) / 2000, n)
    room = margin / error - stdtrit(n - 1, 1 - alpha) * drawn
    inside = ndtr(room - effect / error) - ndtr(-room - effect / error)
    return float(np.maximum(inside, 0).mean())


def seeds_needed(effect: float, deviation: float, *, at_least: float = 0.8, alpha: float = ALPHA) -> int:
    """The fewest pairs of seeds that show `effect` to be above 0 with a probability of `at_least`.

    Raises UserError where MOST would not do.
    """
    return _fewest(lambda n: power(effect, deviation, n, alpha), at_least)


def seeds_for_equivalence(margin: float, deviation: float, *, at_least: float = 0.8, alpha: float = ALPHA) -> int:
    """The fewest pairs of seeds that show no difference to be one within `margin`, likewise."""
    return _fewest(lambda n: power_of_equivalence(margin, deviation, n, alpha), at_least)


def detectable(deviation: float, n: int, *, at_least: float = 0.8, alpha: float = ALPHA) -> float:
    """The least effect that `n` pairs of seeds show with a probability of `at_least`; NaN for fewer than two."""
    if n < 2:
        return float("nan")
    far = 100 * deviation + 1
    return float(brentq(lambda effect: power(effect, deviation, n, alpha) - at_least, 0, far)) if deviation else 0.0


def deviation_interval(deviation: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """What the true deviation may be where `n` seeds show `deviation` (chi square): five know it to 0.6 and 2.9 times.

    Plan with its upper end, not with `deviation`, where seeds were few.
    """
    low, high = (deviation / float(_relative(share, n)) for share in ((1 + level) / 2, (1 - level) / 2))
    return low, high


def _relative(share: float | NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The deviation that `n` seeds show, over the true one, which that share of draws is below (chi square)."""
    squared: NDArray[np.float64] = 2 * gammaincinv((n - 1) / 2, share) / (n - 1)
    return np.sqrt(squared)


def _fewest(of: Callable[[int], float], at_least: float) -> int:
    """The least n in [2, MOST] with of(n) >= at_least, of a growing function."""
    if of(MOST) < at_least:
        raise UserError(f"{MOST} seeds would not show it with a probability of {at_least:g}: expected a larger effect.")
    low, high = 1, 2
    while of(high) < at_least:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if of(middle) >= at_least else (middle, high)
    return high
