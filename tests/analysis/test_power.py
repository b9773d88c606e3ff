"""Power, against simulated seeds and against what docs/protocol.md says."""

import numpy as np
import pytest

from fer_perturb.analysis.power import (
    ALPHA,
    detectable,
    deviation_interval,
    power,
    power_of_equivalence,
    seeds_for_equivalence,
    seeds_needed,
)
from fer_perturb.analysis.statistics import OverSeeds
from fer_perturb.errors import UserError


def test_the_protocol_s_numbers():
    ten = [[power(2, deviation, 10, alpha) for deviation in (1, 1.5, 2)] for alpha in (ALPHA / 3, ALPHA)]
    assert np.round(ten, 2).tolist() == [[1.0, 0.87, 0.6], [1.0, 0.96, 0.8]]
    assert round(min(power(3, deviation, 10, ALPHA / 3) for deviation in (1, 1.5, 2)), 2) == 0.94


@pytest.mark.parametrize(("n", "effect", "deviation"), [(5, 2.0, 1.5), (10, 1.0, 1.5), (20, 1.0, 1.5)])
def test_what_simulated_seeds_show(n, effect, deviation):
    drawn = np.random.default_rng(0).normal(0, deviation, (4000, n))
    shown = np.mean([OverSeeds.of(row + effect).above(0) < ALPHA for row in drawn])
    assert shown == pytest.approx(power(effect, deviation, n), abs=0.025)
    alike = np.mean([OverSeeds.of(row / 2 + 0.2).equivalent(1.0) < ALPHA for row in drawn])
    assert alike == pytest.approx(power_of_equivalence(1.0, deviation / 2, n, effect=0.2), abs=0.025)


def test_seeds_needed_are_the_fewest():
    for effect, deviation in ((1.0, 1.0), (1.0, 2.0), (0.5, 2.0), (3.0, 0.1)):
        n = seeds_needed(effect, deviation)
        assert power(effect, deviation, n) >= 0.8 > power(effect, deviation, n - 1)
    assert seeds_needed(1.0, 1.5) == 20
    n = seeds_for_equivalence(1.0, 1.0)
    assert power_of_equivalence(1.0, 1.0, n) >= 0.8 > power_of_equivalence(1.0, 1.0, n - 1)
    assert power(detectable(1.5, 10), 1.5, 10) == pytest.approx(0.8)
    with pytest.raises(UserError, match="expected a larger effect"):
        seeds_needed(0.0, 1.0)


def test_seeds_that_do_not_differ_or_are_too_few():
    assert (power(1.0, 0.0, 2), power(0.0, 0.0, 2), power(1.0, 1.0, 1)) == (1.0, 0.0, 0.0)
    assert (power_of_equivalence(1.0, 0.0, 2), power_of_equivalence(1.0, 1.0, 1)) == (1.0, 0.0)
    assert (seeds_needed(1.0, 0.0), detectable(0.0, 5)) == (2, 0.0)
    assert np.isnan(detectable(1.0, 1))


def test_the_deviation_of_few_seeds_is_not_known_well():
    assert deviation_interval(1.0, 5) == pytest.approx((0.599, 2.874), abs=1e-3)
    found = np.random.default_rng(0).normal(0, 2, (4000, 5)).std(axis=1, ddof=1)
    ends = [deviation_interval(float(one), 5) for one in found]
    assert 0.93 < np.mean([low <= 2 <= high for low, high in ends]) < 0.97
