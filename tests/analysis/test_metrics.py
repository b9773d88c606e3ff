import numpy as np
import pytest
import torch

from fer_perturb.analysis.metrics import confusion, measured, scores
from fer_perturb.analysis.predictions import Predictions


def predictions(labels, predicted, classes=("a", "b", "c")):
    logits = torch.eye(len(classes))[torch.tensor(predicted)]
    names = np.array([str(k) for k in range(len(labels))], dtype="S64")
    return Predictions(torch.tensor(labels), logits, names.astype(str), names, classes)


def test_by_hand():
    found = scores(predictions([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]))
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["per_class"]["a"] == {
        "accuracy": pytest.approx(3 / 4),
        "f1": pytest.approx(2 * 3 / (2 * 3 + 1 + 1)),
        "support": 4,
    }
    assert found["per_class"]["b"]["accuracy"] == pytest.approx(1 / 2)
    assert found["per_class"]["c"] == {"accuracy": None, "f1": None, "support": 0}


def test_a_class_without_images_is_left_out_of_the_means():
    found = scores(predictions([0, 0, 0, 0, 1, 1], [0, 0, 0, 2, 1, 0]))
    assert found["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert found["per_class"]["c"] == {"accuracy": None, "f1": None, "support": 0}  # although it was answered
    assert found["per_class"]["b"]["accuracy"] == 0.5
    none_right = scores(predictions([0, 0, 1], [1, 1, 1]))
    assert none_right["per_class"]["a"]["accuracy"] == 0.0  # there, and never found


def test_balanced_accuracy_is_the_mean_over_classes_and_f1_too():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    found = scores(predictions(labels.tolist(), predicted.tolist()))
    recall = [np.mean(predicted[labels == k] == k) for k in range(3)]
    precision = [np.mean(labels[predicted == k] == k) for k in range(3)]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recall), rel=1e-5)
    f1 = [2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True)]
    assert found["f1_macro"] == pytest.approx(np.mean(f1), rel=1e-5)


def test_what_is_taken_for_what():
    found = confusion(predictions([0, 0, 0, 0, 1, 1], [0, 0, 0, 2, 1, 0]))
    assert found.tolist() == [[3, 0, 1], [1, 1, 0], [0, 0, 0]]
    assert found.dtype == np.int64


def test_what_is_one_number():
    given = predictions([0, 0, 0, 1], [0, 0, 1, 1])
    found, own = measured(given), scores(given)
    assert list(found) == ["accuracy", "balanced_accuracy", "f1_macro", "ece", "brier", "aurc"]
    assert found["f1_macro"] == own["f1_macro"]
