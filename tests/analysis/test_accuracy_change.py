from dataclasses import replace

import numpy as np
import pytest
import torch

from fer_perturb.analysis.accuracy_change import Recognised, change, judged
from fer_perturb.analysis.predictions import Predictions
from fer_perturb.errors import UserError


def predicted(names, labels, answers):
    logits = torch.nn.functional.one_hot(torch.tensor(answers), 3).float()
    return Predictions(torch.tensor(labels), logits, np.array(names), np.array(names, dtype="S"), ("a", "b", "c"))


def test_relative_change_by_hand():
    before = judged([predicted(["p", "q", "r", "s"], [0, 0, 0, 1], [0, 0, 0, 2])])
    after = judged([predicted(["s", "r", "q", "p"], [1, 0, 0, 0], [1, 0, 1, 2])])  # another order
    found = change(before, after, 0)
    assert (found.before, found.after) == (1.0, pytest.approx(1 / 3))
    assert found.relative == pytest.approx(-2 / 3)
    whole = change(before, after)
    assert (whole.before, whole.after, whole.relative) == (0.75, 0.5, pytest.approx(-1 / 3))


def test_seeds_are_averaged_first():
    runs = [predicted(["p", "q"], [0, 1], answers) for answers in ([0, 1], [0, 2])]
    found = judged(runs)
    assert found.right.tolist() == [1.0, 0.5]
    assert found.answered.tolist() == [0.5, 0.25, 0.25]
    with pytest.raises(UserError, match="different images"):
        judged([runs[0], predicted(["p", "x"], [0, 1], [0, 1])])


def test_only_images_that_both_judged_count():
    before = judged([predicted(["p", "q", "r"], [0, 0, 0], [0, 0, 1])])
    after = judged([predicted(["q", "r", "z"], [0, 0, 0], [0, 0, 0])])
    found = change(before, after, 0)
    assert (found.before, found.after) == (0.5, 1.0)
    assert found.paired
    assert np.isnan(change(before, after, 2).before)  # a class without images


def test_other_pictures_are_not_paired():
    """As with the author's MaskFer. The interval is wider than that of pairs which fall and rise together."""
    names, labels = [str(k) for k in range(200)], [0] * 200
    right = [0] * 100 + [1] * 100
    before = judged([predicted(names, labels, right)])
    same = change(before, judged([predicted(names, labels, right)]), 0)
    other = change(before, judged([predicted([f"masked{k}" for k in range(200)], labels, right)]), 0)
    assert (same.paired, other.paired) == (True, False)
    assert same.low == same.relative == other.relative == same.high == 0
    assert -0.35 < other.low < -0.1
    assert 0.1 < other.high < 0.4


def test_a_picture_that_stands_there_twice_counts_twice():
    before = judged([predicted(["p", "q", "r"], [0, 0, 0], [0, 0, 1])])
    twice = replace(before, identities=np.array([b"p", b"p", b"r"]))
    assert change(twice, twice).before == pytest.approx(2 / 3)
    assert change(twice, replace(before, identities=np.array([b"p", b"x", b"r"]))).before == 0.5


def test_nothing_right_before_has_no_relative_change():
    before = judged([predicted(["p"], [0], [1])])
    for answer in (0, 1):
        found = change(before, judged([predicted(["p"], [0], [answer])]), 0)
        assert np.isnan([found.relative, found.low, found.high]).all()


def test_few_right_before_leave_the_upper_bound_open():
    names = [str(k) for k in range(20)]
    before = judged([predicted(names, [0] * 20, [0, 0] + [1] * 18)])
    found = change(before, judged([predicted(names, [0] * 20, [1, 1, 0] + [1] * 17)]), 0)
    assert found.relative == -0.5
    assert (found.low, found.high) == (-1.0, np.inf)  # in some draws nothing was right before


@pytest.mark.slow
def test_intervals_hold_what_they_say(monkeypatch):
    """Of 95 % intervals of 200 drawn samples about 95 % hold the true change."""
    monkeypatch.setattr("fer_perturb.analysis.accuracy_change.RESAMPLES", 500)
    random = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        first = random.random(400) < 0.8
        second = np.where(random.random(400) < 0.6, first, random.random(400) < 0.3)  # paired, right in 0.6
        names, labels = np.arange(400).astype(str), np.zeros(400, dtype=np.int64)
        found = change(
            *(Recognised(names.astype("S"), labels, right.astype(float), np.ones(1)) for right in (first, second))
        )
        held += found.low <= 0.6 / 0.8 - 1 <= found.high
    assert 180 <= held <= 199


def test_nothing_right_afterwards_does_not_mean_that_nothing_could_be():
    names = [str(k) for k in range(55)]
    before = judged([predicted(names, [0] * 55, [0] * 50 + [1] * 5)])
    found = change(before, judged([predicted(names, [0] * 55, [1] * 55)]))
    assert found.relative == found.low == -1
    assert found.high == pytest.approx(0.0649 / (50 / 55) - 1, abs=1e-3)  # 0 of 55: at most 6.5 %
