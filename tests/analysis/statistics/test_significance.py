import numpy as np
import pytest

from fer_perturb.analysis.statistics import holm, mcnemar


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.001, 0.9]) == pytest.approx([1.0, 0.003, 1.0])


def test_holm_keeps_the_level_of_all_seven_together():
    """Three of seven differ: some other one is found in at most 5 %, and those three more often than by Bonferroni."""
    random = np.random.default_rng(0)
    p = random.random((4000, 7))
    p[:, :3] **= 12
    adjusted = np.array([holm(row) for row in p])
    assert 0.03 < np.mean((adjusted[:, 3:] < 0.05).any(axis=1)) < 0.055
    assert (adjusted[:, :3] < 0.05).sum() > (7 * p[:, :3] < 0.05).sum()


def test_mcnemar_by_hand():
    first, second = np.array([1] * 9 + [0] + [1] * 50) > 0, np.array([0] * 9 + [1] + [1] * 50) > 0
    assert mcnemar(first, second) == pytest.approx(2 * (1 + 10) / 2**10)  # nine against one
    assert mcnemar(first, first) == 1.0


def test_mcnemar_keeps_its_level_and_finds_a_difference():
    random = np.random.default_rng(0)
    hard = random.random((1000, 2000))
    # both know what is easy; of the rest each knows some by luck
    first, second = (np.where(hard < 0.5, True, random.random(hard.shape) < 0.2) for _ in range(2))
    none = np.mean([mcnemar(*pair) < 0.05 for pair in zip(first, second, strict=True)])
    assert 0.03 < none < 0.06
    better = first | (random.random(hard.shape) < 0.1)
    assert np.mean([mcnemar(*pair) < 0.05 for pair in zip(better, second, strict=True)]) > 0.8
