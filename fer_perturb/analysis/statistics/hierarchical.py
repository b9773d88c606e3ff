"""The hierarchical bootstrap of a difference in accuracy: seeds are drawn anew, and images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 4000


def bootstrap(
    right: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], *, balanced: bool = True, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a difference in accuracy, in points, when seeds, and within classes images, are drawn anew.

    right: (seeds, images), of one arm's answers less another's, whether they are right: -1, 0 or 1, or a mean of such.
    labels: (images,). Each of RESAMPLES draws takes as many seeds and images as there are, with replacement.
    """
    random = np.random.default_rng(seed)
    seeds = len(right)
    drawn = random.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES) / seeds @ right  # (RESAMPLES, images)
    recall, share = [], []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        weights = random.multinomial(len(own), np.full(len(own), 1 / len(own)), RESAMPLES) / len(own)
        recall.append((weights * drawn[:, own]).sum(axis=1))
        share.append(1.0 if balanced else len(own))
    means = 100 * np.average(recall, axis=0, weights=share)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
