"""A difference in accuracy when test images vary too, and seeds: by means and variances, so that few seeds will do.

Seeds and images are crossed: every seed's networks judge the same images. A difference varies with the seed, with the
image, and with both together (analysis of variance of two ways, as in studies of many readers and many cases:
Obuchowski and Rockette 1995; Hillis 2007).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb.analysis.statistics.estimate import Estimate

Array = NDArray[np.floating[Any]]


def over_images(right: Array, labels: NDArray[np.integer[Any]], *, balanced: bool = True) -> Estimate:
    """The mean over images, of these very seeds: what other test images would change, and no other seed.

    right, labels and balanced as of `over_seeds_and_images`, one seed being enough.
    """
    every = [_class(right[:, labels == label]) for label in np.unique(labels)]
    weights = _weights(labels, balanced)
    means, of_images, _ = (np.array(values) for values in zip(*every, strict=True))
    variances = weights**2 * of_images
    total = float(variances.sum())
    sizes = np.unique(labels, return_counts=True)[1]
    spread = float((variances**2 / np.maximum(sizes - 1, 1)).sum())  # Satterthwaite 1946
    freedom = total**2 / spread if spread > 0 else float(len(labels) - 1)
    return Estimate(float(weights @ means), float(np.sqrt(total)), freedom)


def over_seeds_and_images(right: Array, labels: NDArray[np.integer[Any]], *, balanced: bool = True) -> Estimate:
    """The mean over seeds and images: what other seeds and other test images would change. Two seeds are the least.

    right: (seeds, images), whether a network is right, or one's answers less another's: -1, 0 or 1, or a mean of such.
    labels: (images,). balanced: the mean over classes (balanced accuracy), else over images; classes are as frequent as
    they are, images are drawn within them.

    The variance is that of the seeds' means, plus that of the images' means, less what both hold of each seed's answer
    to each image. Its degrees of freedom are those of the seeds' part, more where images make up most of it (Hillis).
    """
    seeds, weights = len(right), _weights(labels, balanced)
    every = [_class(right[:, labels == label]) for label in np.unique(labels)]
    means, of_images, of_both = (np.array(values) for values in zip(*every, strict=True))
    if seeds < 2:
        return Estimate(float(weights @ means), float("nan"), 0)
    each = np.stack([right[:, labels == label].mean(axis=1) for label in np.unique(labels)], axis=1) @ weights
    of_seeds = float(each.var(ddof=1)) / seeds
    total = of_seeds + max(0.0, float(weights**2 @ (of_images - of_both)))
    most = float(len(labels) - 1)  # where seeds hardly vary
    freedom = min(most, (seeds - 1) * (total / of_seeds) ** 2) if of_seeds > 0 else most
    return Estimate(float(weights @ means), float(np.sqrt(total)), freedom)


def _class(right: Array) -> tuple[float, float, float]:
    """Of one class (seeds, images): mean, the variance of it that images cause, and seed and image together.

    A single image says nothing of other images: it adds no variance.
    """
    seeds, images = right.shape
    if images < 2:
        return float(right.mean()), 0.0, 0.0
    of_image = right.mean(axis=0)
    rest = right - of_image - right.mean(axis=1, keepdims=True) + right.mean()
    both = float((rest**2).sum()) / ((seeds - 1) * (images - 1)) if seeds > 1 else 0.0
    return float(right.mean()), float(of_image.var(ddof=1)) / images, both / (seeds * images)


def _weights(labels: NDArray[np.integer[Any]], balanced: bool) -> Array:
    """(classes,): how much each counts."""
    sizes = np.unique(labels, return_counts=True)[1]
    return np.full(len(sizes), 1 / len(sizes)) if balanced else sizes / sizes.sum()
