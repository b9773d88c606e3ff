"""rliable's probability of improvement."""

import numpy as np
import pytest
from scipy.stats import norm

from fer_perturb.analysis.statistics import improvement, probability_of_improvement


def test_by_hand():
    found = probability_of_improvement([1.0, 2.0, 3.0], [2.0, 0.0])
    assert found.probability == pytest.approx((0 + 1 + 0.5 + 1 + 1 + 1) / 6)
    assert found.low < found.probability < found.high
    back = probability_of_improvement([2.0, 0.0], [1.0, 2.0, 3.0])
    assert (back.probability, back.low, back.high) == pytest.approx(
        (1 - found.probability, 1 - found.high, 1 - found.low)
    )


def test_all_of_five_being_better_is_not_certainty():
    found = probability_of_improvement([2.0] * 5, [1.0] * 5)
    assert (found.probability, found.high) == (1.0, 1.0)
    assert 0.5 < found.low < 0.8
    assert probability_of_improvement([1.0] * 5, [1.0] * 5).probability == 0.5


@pytest.mark.parametrize(("n", "shift"), [(5, 0.0), (5, 1.0), (5, 2.0), (10, 0.0), (10, 1.0), (10, 2.0)])
def test_intervals_cover(n, shift, monkeypatch):
    monkeypatch.setattr(improvement, "POINTS", 1001)
    random = np.random.default_rng(0)
    drawn = zip(random.normal(shift, 1, (1500, n)), random.normal(0, 1, (1500, n)), strict=True)
    found = [probability_of_improvement(*pair) for pair in drawn]
    truth = norm.cdf(shift / 2**0.5)
    assert 0.93 < np.mean([of.low <= truth <= of.high for of in found]) < 0.97
    assert np.mean([of.probability for of in found]) == pytest.approx(truth, abs=0.015)
