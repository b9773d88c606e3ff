"""Scores of one set of predictions, over the whole split (torchmetrics)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_stat_scores,
)

from fer_perturb.analysis.calibration import calibration
from fer_perturb.analysis.predictions import Predictions


def scores(predictions: Predictions) -> dict[str, Any]:
    """Shares in [0, 1]: plain accuracy, balanced accuracy (the paper's: mean over classes), macro F1, per class.

    `per_class` has for each class its accuracy (recall), F1 and support (images). Of a class without a single image
    accuracy and F1 are None, and the means are over the others.
    """
    logits, labels, n = predictions.logits, predictions.labels, len(predictions.classes)
    recall = multiclass_accuracy(logits, labels, n, average=None)
    f1 = multiclass_f1_score(logits, labels, n, average=None)
    support = multiclass_stat_scores(logits, labels, n, average=None)[:, -1]
    there = support > 0  # a class without a single image has no accuracy to average
    return {
        "accuracy": accuracy(logits, labels),
        "balanced_accuracy": float(recall[there].mean()),
        "f1_macro": float(f1[there].mean()),
        "per_class": {
            name: {
                "accuracy": float(recall[k]) if there[k] else None,
                "f1": float(f1[k]) if there[k] else None,
                "support": int(support[k]),
            }
            for k, name in enumerate(predictions.classes)
        },
    }


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of images whose highest logit is their label's."""
    return float(multiclass_accuracy(logits, labels, logits.shape[1], average="micro"))


def confusion(predictions: Predictions) -> NDArray[np.int64]:
    """(classes, classes): how many images of each label (rows) were taken for each class (columns)."""
    counts = multiclass_confusion_matrix(predictions.logits, predictions.labels, len(predictions.classes))
    return counts.numpy().astype(np.int64)


def measured(predictions: Predictions) -> dict[str, float]:
    """What is one number: accuracy, balanced_accuracy, f1_macro in [0, 1]; ece, brier, aurc, where less is better."""
    found, sure = scores(predictions), calibration(predictions)
    shares = {name: found[name] for name in ("accuracy", "balanced_accuracy", "f1_macro")}
    return {**shares, "ece": sure.ece, "brier": sure.brier, "aurc": sure.aurc}
