"""The same predictions, judged by other labels or on some of their images."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from fer_perturb.analysis.predictions import Predictions
from fer_perturb.data.ferplus.labels import CLASSES, plurality
from fer_perturb.data.quality.clean import has_twin


def by_votes(predictions: Predictions, votes: NDArray[np.uint8]) -> Predictions | None:
    """Predictions whose labels are the plurality of FER+'s votes (N, 10), of the images that have one.

    Images whose plurality is a class that the network does not know (contempt, for one of FER2013's seven) are left
    out; None if none remain.
    """
    place = {name: label for label, name in enumerate(predictions.classes)}
    labels = np.array([*(place.get(name, -1) for name in CLASSES), -1])[plurality(votes)]  # the last one is for -1
    judged = replace(predictions, labels=torch.from_numpy(labels)).rows(np.flatnonzero(labels >= 0))
    return judged if len(judged.labels) else None


def without_twins(predictions: Predictions, train_identities: NDArray[np.bytes_]) -> Predictions | None:
    """Those of images whose very pixels do not also stand in training; None if there are none."""
    alone = predictions.rows(np.flatnonzero(~has_twin(predictions.sha256, train_identities)))
    return alone if len(alone.labels) else None
