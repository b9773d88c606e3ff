"""Intervals over seeds and images, of simulated runs in which seeds, images and both vary by known amounts."""

import numpy as np
import pytest

from fer_perturb.analysis.statistics import bootstrap, hierarchical, over_images, over_seeds_and_images

LABELS = np.repeat([0, 1, 2], [60, 40, 20])
TRUTH = 0.02
VARYING = {"seeds": (0.03, 0.0, 0.1), "seeds and images": (0.03, 0.3, 0.3), "images": (0.0, 0.3, 0.3)}


def runs(seeds, of_seed, of_image, of_both, count=1500):
    """Differences (seeds, images): what is true, and what seed, image, and both together add."""
    random = np.random.default_rng(seeds)
    for _ in range(count):
        seed = random.normal(0, of_seed, (seeds, 3))[:, LABELS] + random.normal(0, of_seed, (seeds, 1))
        image = random.normal(0, of_image, len(LABELS))
        yield TRUTH + seed + image + random.normal(0, of_both, (seeds, len(LABELS)))


def covered(intervals, truth=TRUTH):
    return np.mean([low <= truth <= high for low, high in intervals])


@pytest.mark.parametrize("varying", VARYING)
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_cover_whatever_varies(seeds, varying):
    found = [over_seeds_and_images(right, LABELS) for right in runs(seeds, *VARYING[varying])]
    assert 0.93 < covered(of.interval() for of in found) < 0.97
    assert np.mean([of.mean for of in found]) == pytest.approx(TRUTH, abs=0.004)
    wrong = np.mean([of.equivalent(TRUTH) < 0.025 for of in found])  # TRUTH is no less than itself
    assert wrong < 0.035


def test_of_accuracy_too():
    """The mean over images, of which each class is drawn as often as it is."""
    found = [over_seeds_and_images(right, LABELS, balanced=False) for right in runs(5, *VARYING["seeds and images"])]
    assert 0.93 < covered(of.interval() for of in found) < 0.97


def test_other_images_alone():
    """Of one seed, that adds nothing itself: its interval covers; where seeds do add something it does not."""
    assert 0.93 < covered(over_images(right, LABELS).interval() for right in runs(1, 0.0, 0.3, 0.3)) < 0.97
    assert covered(over_images(right, LABELS).interval() for right in runs(5, *VARYING["seeds"])) < 0.8


def test_a_bootstrap_of_five_seeds_is_too_narrow_where_they_vary(monkeypatch):
    """And where images and chance vary, too wide: it draws the same chance twice over."""
    monkeypatch.setattr(hierarchical, "RESAMPLES", 200)
    found = {
        name: covered((bootstrap(right, LABELS) for right in runs(5, *VARYING[name], count=200)), 100 * TRUTH)
        for name in VARYING
    }
    assert found["seeds"] < 0.93
    assert found["images"] > 0.96


def test_a_known_layout():
    """Two seeds, two images of each of two classes, by hand."""
    labels, right = np.array([0, 0, 1, 1]), np.array([[1, 0, 1, 1], [1, 1, 1, 0]], dtype=float)
    found = over_seeds_and_images(right, labels)
    assert found.mean == pytest.approx(0.75)
    assert found.error == 0  # both seeds are right in 0.75; what differs between images is chance, of both together
    assert over_images(right, labels).error == pytest.approx(np.sqrt(0.25 * (0.125 / 2 + 0.125 / 2)))
    one = over_seeds_and_images(right[:1], labels)
    assert one.mean == 0.75
    assert np.isnan(one.interval()).all()
    nothing = over_seeds_and_images(np.zeros((3, 4)), labels)
    assert (nothing.mean, nothing.error, nothing.equivalent(0.01)) == (0.0, 0.0, 0.0)


def test_a_class_of_one_image_is_no_error():
    found = over_seeds_and_images(np.random.default_rng(0).normal(size=(3, 5)), np.array([0, 0, 0, 0, 1]))
    assert np.isfinite(found.interval()).all()


def test_the_bootstrap_finds_what_seeds_and_images_vary():
    labels = np.repeat([0, 1], [400, 100])
    random = np.random.default_rng(0)
    right = (random.random((8, 500)) < 0.1).astype(float)  # ten points in both classes, in each seed
    low, high = bootstrap(right, labels)
    assert 7 < low < 10 < high < 13
    assert bootstrap(right, labels) == (low, high)
    # a difference of seeds alone: half of them 4 points up, half 4 down
    seeds = np.repeat([[0.04], [-0.04]], 4, axis=0) * np.ones((8, 500))
    low, high = bootstrap(seeds, labels)
    assert low == pytest.approx(-high, abs=0.6)
    assert 2 < high < 3.5
    # one class alone: the mean over images gives it a fifth, the mean over classes a half
    rare = (labels == 1) * np.ones((8, 500))
    assert bootstrap(rare, labels) == pytest.approx((50, 50))
    assert bootstrap(rare, labels, balanced=False) == pytest.approx((20, 20))
