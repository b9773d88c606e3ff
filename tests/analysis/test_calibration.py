import numpy as np
import pytest
import torch

from fer_perturb.analysis.calibration import calibration
from fer_perturb.analysis.predictions import Predictions


def predictions(probabilities, labels):
    names = np.array([str(k) for k in range(len(labels))])
    logits = torch.tensor(probabilities).log().float() + 3  # a constant changes no probability
    return Predictions(torch.tensor(labels), logits, names, names.astype("S64"), ("a", "b"))


def test_by_hand():
    found = calibration(predictions([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.4, 0.6]], [0, 1, 1, 0]))
    # of two at 0.9 a half is right; 0.7 is right, 0.6 wrong
    assert found.ece == pytest.approx((2 * 0.4 + 0.3 + 0.6) / 4, abs=1e-6)
    assert found.brier == pytest.approx(2 * (0.01 + 0.81 + 0.09 + 0.36) / 4, abs=1e-6)
    assert found.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert found.risk == pytest.approx([1 / 2, 1 / 2, 1 / 3, 1 / 2])  # the two of one confidence share their mistake
    assert found.aurc == pytest.approx(np.mean(found.risk))


def test_order_of_images_does_not_count():
    random = np.random.default_rng(0)
    first = random.choice([0.55, 0.7, 0.95], 200)
    probabilities, labels = np.stack([first, 1 - first], axis=1), random.integers(0, 2, 200)
    turned = calibration(predictions(probabilities[::-1].tolist(), labels[::-1].tolist()))
    found = calibration(predictions(probabilities.tolist(), labels.tolist()))
    assert (turned.aurc, turned.ece) == pytest.approx((found.aurc, found.ece))


def test_a_network_that_is_as_sure_as_it_may_be():
    """Labels drawn by its own probabilities: its error of calibration goes to 0; that of one twice as sure does not."""
    random = np.random.default_rng(0)
    first = random.uniform(0.02, 0.98, 40_000)
    labels = (random.random(40_000) > first).astype(np.int64).tolist()
    probabilities = np.stack([first, 1 - first], axis=1)
    sure = probabilities**2 / (probabilities**2).sum(axis=1, keepdims=True)
    honest, boasting = (calibration(predictions(of.tolist(), labels)) for of in (probabilities, sure))
    assert honest.ece < 0.01 < 0.05 < boasting.ece
    assert honest.brier == pytest.approx(2 * np.mean(first * (1 - first)), abs=0.01)
    assert honest.brier < boasting.brier
    assert honest.aurc == pytest.approx(boasting.aurc)  # it asks for the order alone
