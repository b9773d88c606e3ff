"""Two arms compared, of predictions whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fer_perturb.analysis.comparison import Arm, Contrast, Spent, adjusted, compare
from fer_perturb.analysis.predictions import Predictions
from fer_perturb.analysis.selections import without_twins
from fer_perturb.analysis.statistics import mcnemar
from fer_perturb.errors import UserError

LABELS = np.repeat([0, 1, 2], [300, 200, 100])
NAMES = np.array([str(k) for k in range(600)])
CLASSES = ("angry", "happy", "sad")
EQUAL = Spent(4, 1000, 1e12)


def predicted(shares, seed, names=NAMES):
    """Right on that share of each class, in an order of its own."""
    random = np.random.default_rng(seed)
    wrong = random.random(600) >= np.asarray(shares)[LABELS]
    logits = torch.nn.functional.one_hot(torch.from_numpy((LABELS + wrong) % 3), 3).float()
    whole = Predictions(torch.from_numpy(LABELS), logits, names, names.astype("S64"), CLASSES)
    return whole.rows(random.permutation(600))


def arm(name, shares, seeds=range(5), reading="original", spent=EQUAL, **others):
    of = {seed: predicted(shares, [seed, len(name)], **others) for seed in seeds}
    return Arm(name, reading, "none", spent, dict.fromkeys(of, "32-true"), of)


@pytest.fixture(scope="module")
def gain():
    return compare(arm("perturb", (0.7, 0.8, 0.9)), arm("baseline", (0.7, 0.8, 0.5)))


def test_a_gain_on_one_class(gain):
    assert gain.paired
    assert gain.seeds == (0, 1, 2, 3, 4)
    assert gain.measures["balanced_accuracy"].mean == pytest.approx(0.4 / 3, abs=0.03)
    assert gain.measures["accuracy"].mean == pytest.approx(0.4 / 6, abs=0.02)
    # the same differences, whatever is drawn of images
    assert gain.balanced_accuracy.mean == pytest.approx(gain.measures["balanced_accuracy"].mean)
    assert gain.accuracy.mean == pytest.approx(gain.measures["accuracy"].mean)
    assert gain.balanced_accuracy.p < 0.001
    assert list(gain.per_class) == list(CLASSES)
    assert gain.per_class["sad"].accuracy.mean == pytest.approx(0.4, abs=0.06)
    assert gain.per_class["sad"].p < 0.05 < gain.per_class["angry"].p
    assert gain.per_class["sad"].f1.mean > 0
    assert gain.improvement.probability == 1.0
    assert max(gain.mcnemar.values()) < 0.05


def test_within_a_seed_images_are_paired_whatever_their_order(gain):
    first, second = (arm(name, of).predicted[3] for name, of in
                     (("perturb", (0.7, 0.8, 0.9)), ("baseline", (0.7, 0.8, 0.5))))  # fmt: skip
    right = []
    for of in (first, second):
        known = dict(zip(of.names, (of.logits.argmax(dim=1) == of.labels).numpy(), strict=True))
        right.append(np.array([known[name] for name in NAMES]))
    assert gain.mcnemar[3] == mcnemar(*right)


def test_intervals_cover_and_nothing_is_found_where_nothing_is():
    """Of a hundred comparisons of two equal arms about five find something; the interval of 0.05 holds it."""
    none = [
        compare(arm("a", [0.7] * 3, range(k, k + 3)), arm("bb", [0.7] * 3, range(k, k + 3))) for k in range(0, 180, 3)
    ]
    assert sum(of.balanced_accuracy.p < 0.05 for of in none) <= 7  # more are found in 3 of 1000
    held = [low <= 0 <= high for low, high in (of.accuracy.interval() for of in none)]
    assert np.mean(held) >= 0.88


def test_other_images_are_not_paired():
    other = arm("baseline", (0.7, 0.8, 0.5), names=np.char.add("x", NAMES))
    found = compare(arm("perturb", (0.7, 0.8, 0.9)), other)
    assert not found.paired
    assert found.mcnemar == {}
    assert found.balanced_accuracy.mean == pytest.approx(0.4 / 3, abs=0.03)
    assert found.balanced_accuracy.p < 0.001


def test_one_seed_has_no_interval_but_a_test():
    found = compare(arm("perturb", (0.7, 0.8, 0.9), [0]), arm("baseline", (0.7, 0.8, 0.5), [0, 1]))
    assert found.seeds == (0,)
    assert np.isnan([*found.balanced_accuracy.interval(), found.measures["ece"].p]).all()
    assert found.mcnemar[0] < 0.05
    assert adjusted([found]) == [1.0]


def test_holm_over_contrasts(gain):
    none = compare(arm("copies", [0.7] * 3), arm("baseline", [0.7] * 3))
    p = [of.measures["balanced_accuracy"].p for of in (gain, none)]
    assert adjusted([gain, none]) == [pytest.approx(2 * p[0]), p[1]]


def test_on_some_of_the_images():
    angry = NAMES[LABELS == 0].astype("S64")
    first, second = (
        arm(name, of).judged(lambda one: without_twins(one, angry))
        for name, of in (("perturb", (0.1, 0.8, 0.9)), ("baseline", (0.9, 0.8, 0.5)))
    )
    found = compare(first, second)
    assert list(found.per_class) == ["happy", "sad"]
    assert found.measures["balanced_accuracy"].mean == pytest.approx(0.2, abs=0.04)
    with pytest.raises(UserError, match=r"no image remains of seeds \[0, 1, 2, 3, 4\]"):
        first.judged(lambda one: without_twins(one, NAMES.astype("S64")))


def test_what_cannot_be_compared_is_refused():
    one, other = arm("perturb", [0.7] * 3), arm("baseline", [0.7] * 3)
    with pytest.raises(UserError, match="share no seed"):
        compare(one, arm("baseline", [0.7] * 3, [7]))
    with pytest.raises(UserError, match="differ in precision at seed 0"):
        compare(one, replace(other, precision=dict.fromkeys(range(5), "bf16-mixed")))
    with pytest.raises(UserError, match="test-time augmentation"):
        compare(one, replace(other, tta="ten"))
    with pytest.raises(UserError, match="same classes"):
        compare(
            one,
            replace(other, predicted={k: replace(of, classes=("a", "b", "c")) for k, of in other.predicted.items()}),
        )
    half = {**other.predicted, 1: other.predicted[1].rows(np.arange(300))}
    with pytest.raises(UserError, match="different images"):
        compare(one, replace(other, predicted=half))


def test_budgets_and_readings_are_told_apart():
    views = arm("perturb", [0.7] * 3, reading="views", spent=Spent(4, 4000, 9e12))
    same_epochs = Contrast.of(views, arm("baseline", [0.7] * 3))
    assert same_epochs.equal == ("epochs",)
    told = "perturb (mean over the views) less baseline (image alone)"
    assert str(same_epochs) == f"{told}, equal epochs (4 times the passes, 9 times the flops)"
    longer = Contrast.of(views, arm("baseline", [0.7] * 3, spent=Spent(9, 9000, 9.2e12)))
    assert longer.equal == ("flops",)
    unknown = Spent(float("nan"), float("nan"), float("nan"))
    assert str(Contrast.of(views, arm("baseline", [0.7] * 3, spent=unknown))).endswith("(image alone), no equal budget")
