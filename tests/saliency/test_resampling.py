"""Ratios and their intervals: of known numbers, paired, and as wide as they have to be."""

import numpy as np
import pytest

from fer_perturb.saliency.resampling import Interval, Resampling, intervals

ONE_GROUP = np.zeros(200, dtype=np.int64)


def test_a_ratio_is_that_of_the_sums() -> None:
    over, under = np.array([[[1.0, 0.0], [3.0, 2.0]]]), np.array([[[2.0, 1.0], [2.0, 1.0]]])
    found = intervals(Resampling(np.zeros(2, dtype=np.int64), 1).ratios(over, under))
    assert [of.value for of in found] == [1.0, 1.0]
    assert found[0].low == 0.5
    assert found[0].high == 1.5


def test_images_without_a_number_count_in_neither() -> None:
    over = np.array([[[1.0], [np.nan]]])
    found = Resampling(np.zeros(2, dtype=np.int64), 1).ratios(over, np.array([[[2.0], [8.0]]]))
    assert found[0, 0] == 0.5
    none = intervals(Resampling(np.zeros(2, dtype=np.int64), 1).ratios(over * np.nan, over))[0]
    assert np.isnan([none.value, none.low, none.high]).all()
    assert none.beyond(0) == 0


def test_what_does_not_vary_has_no_width_and_differences_are_paired() -> None:
    random = np.random.default_rng(0)
    values = random.random((1, 200, 1))
    draws = Resampling(ONE_GROUP, 1)
    own = draws.ratios(values, np.ones_like(values))
    more = draws.ratios(values + 0.01, np.ones_like(values))
    alone, difference = intervals(own)[0], intervals(more - own)[0]
    assert alone.high - alone.low > 0.05
    assert (difference.low, difference.high) == pytest.approx((0.01, 0.01))
    assert difference.beyond(0) == 1
    assert Interval(0.1, -0.1, 0.3).beyond(0) == 0
    assert Interval(-0.2, -0.3, -0.1).beyond(0) == -1


def test_intervals_cover() -> None:
    """Of 100 samples of 60 faces the interval of a ratio holds the truth in about 95 %."""
    random, held = np.random.default_rng(1), 0
    for sample in range(100):
        area = random.uniform(0.05, 0.15, (1, 60, 1))
        share = 2 * area * random.lognormal(-0.125, 0.5, (1, 60, 1))  # twice as dense, in the mean
        found = intervals(Resampling(ONE_GROUP[:60], 1, seed=sample).ratios(share, area))[0]
        held += found.low <= 2 <= found.high
    assert 0.88 <= held / 100 <= 1


def test_seeds_are_drawn_too() -> None:
    """What differs between seeds alone has an interval of several seeds, and none of one."""
    values = np.stack([np.full((30, 1), level) for level in (1.0, 2.0, 3.0)])
    groups = ONE_GROUP[:30]
    found = intervals(Resampling(groups, 3).ratios(values, np.ones_like(values)))[0]
    assert found.value == 2
    assert (found.low, found.high) == pytest.approx((1.0, 3.0), abs=0.35)
    alone = intervals(Resampling(groups, 1).ratios(values[:1], np.ones_like(values[:1])))[0]
    assert (alone.low, alone.high) == (1.0, 1.0)


def test_groups_keep_their_sizes() -> None:
    groups = np.repeat([0, 1], [10, 90])
    values = (groups == 0).astype(float)[None, :, None]
    found = intervals(Resampling(groups, 1).ratios(values, np.ones_like(values)))[0]
    assert (found.low, found.value, found.high) == pytest.approx((0.1, 0.1, 0.1))
