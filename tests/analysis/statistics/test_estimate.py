"""Student's t over seeds, of runs whose truth is known."""

import numpy as np
import pytest

from fer_perturb.analysis.statistics import Estimate, OverSeeds, effect_interval

SIMULATED = 4000


def simulated(n, mean=0.0, deviation=1.5):
    drawn = np.random.default_rng(n).normal(mean, deviation, (SIMULATED, n))
    return [OverSeeds.of(row) for row in drawn]


def covered(intervals, truth):
    return np.mean([low <= truth <= high for low, high in intervals])


def test_a_known_difference():
    of = OverSeeds.of([1.0, 2.0, 3.0])
    assert (of.n, of.mean, of.deviation) == (3, 2.0, 1.0)
    assert of.interval() == pytest.approx(
        (2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4
    )  # t of 2 degrees, 97.5 %
    assert of.above(0) == pytest.approx(0.0371, abs=1e-4)  # t = 3.4641
    assert of.below(0) == pytest.approx(1 - of.above(0))
    assert of.p == pytest.approx(2 * of.above(0))


def test_no_difference_is_equivalent_and_a_large_or_loose_one_is_not():
    near = OverSeeds.of([0.1, -0.1, 0.2, -0.2, 0.0])
    assert near.equivalent(1.0) < 0.001
    assert OverSeeds.of([0.0] * 5).equivalent(1.0) == 0.0
    assert OverSeeds.of([1.5, 1.6, 1.4, 1.5, 1.5]).equivalent(1.0) > 0.9
    assert OverSeeds.of([4.0, -4.0, 3.0, -3.0, 0.0]).equivalent(1.0) > 0.05


def test_one_seed_says_nothing_of_others():
    one = OverSeeds.of([1.0])
    assert one.mean == 1.0
    assert np.isnan(
        [*one.interval(), one.p, one.above(0), one.equivalent(1.0), one.effect, *effect_interval(one)]
    ).all()
    assert np.isnan((one - OverSeeds.of([1.0, 2.0])).interval()).all()


@pytest.mark.parametrize("n", [3, 5, 10])
def test_intervals_cover_and_tests_keep_their_level(n):
    found = simulated(n)
    assert 0.93 < covered([of.interval() for of in found], 0.0) < 0.97
    assert 0.03 < np.mean([of.p < 0.05 for of in found]) < 0.07
    # at the margin itself equivalence is shown no more often than its level; well within it, it is shown
    assert np.mean([of.equivalent(1.0) < 0.05 for of in simulated(n, mean=1.0, deviation=0.3)]) < 0.06
    assert np.mean([of.equivalent(1.0) < 0.05 for of in simulated(10, deviation=0.3)]) > 0.99


def test_two_that_have_nothing_in_common():
    """Welch: five seeds that deviate by three points less ten that deviate by one."""
    pairs = zip(simulated(5, 1.0, 3.0), simulated(10, 0.0, 1.0), strict=True)
    assert 0.93 < covered([(first - second).interval() for first, second in pairs], 1.0) < 0.97
    same = OverSeeds.of([1.0, 1.0]) - OverSeeds.of([0.0, 0.0])
    assert same == Estimate(1.0, 0.0, 1)


@pytest.mark.parametrize("n", [5, 10])
def test_effects_are_free_of_bias_and_their_intervals_cover(n):
    found = simulated(n, mean=1.5, deviation=1.5)
    assert np.mean([of.effect for of in found]) == pytest.approx(1.0, abs=0.03)
    assert np.mean([of.mean / of.deviation for of in found]) > 1.05  # what is not corrected is too large
    assert 0.93 < covered([effect_interval(of) for of in found[:1000]], 1.0) < 0.97
