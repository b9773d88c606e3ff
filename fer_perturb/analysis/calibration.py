"""Whether a network knows how sure it may be: its probabilities (softmax of the logits) against its mistakes."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_calibration_error

from fer_perturb.analysis.predictions import Predictions

BINS = 15  # Guo et al. 2017


@dataclass(frozen=True, eq=False)
class Calibration:
    """ece: expected calibration error in [0, 1], over BINS of equal width (Naeini 2015). brier: in [0, 2], the squares
    of all classes added (Brier 1950). Least is best of all three.

    risk: (images,), the share of mistakes among the surest 1, 2, ... images; coverage: (images,), what share of all
    those are. aurc: the mean risk, that is the area under risk against coverage (Geifman et al. 2019). Images of one
    confidence share their mistakes, so that their order does not count.
    """

    ece: float
    brier: float
    aurc: float
    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]


def calibration(predictions: Predictions) -> Calibration:
    """The calibration of one set of predictions."""
    probabilities = predictions.logits.double().softmax(dim=1)
    labels, classes = predictions.labels, len(predictions.classes)
    ece = multiclass_calibration_error(probabilities, labels, classes, n_bins=BINS, norm="l1")
    brier = (probabilities - F.one_hot(labels, classes)).square().sum(dim=1).mean()
    confidence, answers = probabilities.max(dim=1)
    coverage, risk = _risk(confidence.numpy(), (answers != labels).to(torch.float64).numpy())
    return Calibration(float(ece), float(brier), float(risk.mean()), coverage, risk)


def _risk(
    confidence: NDArray[np.float64], wrong: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    _, group = np.unique(-confidence, return_inverse=True)
    shared = np.bincount(group, wrong) / np.bincount(group)
    count = np.arange(1, len(wrong) + 1)
    return count / len(wrong), np.cumsum(shared[np.sort(group)]) / count
