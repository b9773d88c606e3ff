"""How the accuracy on each emotion changes from one way of testing, or training, to another."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fer_perturb.analysis.predictions import Predictions, image_keys
from fer_perturb.errors import UserError

RESAMPLES = 4000


@dataclass(frozen=True)
class Change:
    """Accuracies in [0, 1], and (after - before) / before with its 95 % interval; NaN where that cannot be said.

    paired: both accuracies are of the same pictures.
    """

    before: float
    after: float
    relative: float
    low: float
    high: float
    paired: bool


@dataclass(frozen=True, eq=False)
class Recognised:
    """Images and how often they were recognised: identities (N,), labels (N,), right answers (N,) in [0, 1];
    and, for each class, the share of all images that was taken for it (classes,).

    An image of MaskFer has the identity of the picture without its mask, so that the two are paired.
    """

    identities: NDArray[np.bytes_]
    labels: NDArray[np.int64]
    right: NDArray[np.float64]
    answered: NDArray[np.float64]


def judged(runs: Sequence[Predictions]) -> Recognised:
    """The mean over runs that judged the same images (over seeds, for one), by name.

    Raises UserError where they did not.
    """
    orders = [np.argsort(run.names) for run in runs]
    names = runs[0].names[orders[0]]
    right, answered = np.zeros(len(names)), np.zeros(len(runs[0].classes))
    for run, order in zip(runs, orders, strict=True):
        if not np.array_equal(run.names[order], names):
            raise UserError(
                "Runs that belong together were tested on different images; expected the same data for all."
            )
        answers = run.logits.argmax(dim=1)
        right += (answers == run.labels).numpy()[order]
        answered += np.bincount(answers.numpy(), minlength=len(answered)) / len(names)
    labels = runs[0].labels.numpy()[orders[0]]
    return Recognised(runs[0].sha256[orders[0]], labels, right / len(runs), answered / len(runs))


def change(before: Recognised, after: Recognised, label: int | None = None, *, seed: int = 0) -> Change:
    """The change of the accuracy on the images of one label, or on all.

    Where both judged mostly the same pictures those alone count, paired. Else (MaskFer as its author released it knows
    nothing of the faces under its masks) all do. The interval is a bootstrap's over the pairs, or over the images of
    each (Efron and Tibshirani 1993, percentiles of RESAMPLES): it says what other test images would change, not what
    other seeds would. Where nothing is right afterwards its upper end is the exact one for a share.
    """
    first, second, paired = before.right, after.right, True
    a, b = _shared(before, after)
    if 2 * len(a) > min(len(first), len(second)):
        of_a, of_b = before.labels[a], after.labels[b]
        first, second = first[a], second[b]
    else:
        of_a, of_b, paired = before.labels, after.labels, False
    if label is not None:
        first, second = first[of_a == label], second[of_b == label]
    nothing = float("nan")
    if not (len(first) and len(second)):
        return Change(nothing, nothing, nothing, nothing, nothing, paired)
    random = np.random.default_rng(seed)
    if paired:
        before_drawn, after_drawn = _means_drawn(random, first, second)
    else:
        (before_drawn,), (after_drawn,) = _means_drawn(random, first), _means_drawn(random, second)
    relative = low = high = nothing
    if first.any():
        relative = float(second.mean() / first.mean() - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = np.where(before_drawn > 0, after_drawn / before_drawn - 1, np.inf)  # from none any rise is endless
        # no interpolation, which could not come to a number beside an endless one
        low, high = (float(bound) for bound in np.percentile(drawn, [2.5, 97.5], method="inverted_cdf"))
        if not second.any():  # no draw of nothing is ever more: the exact bound of 0 in so many (Clopper and Pearson)
            high = float((1 - 0.025 ** (1 / len(second))) / first.mean() - 1)
    return Change(float(first.mean()), float(second.mean()), relative, low, high, paired)


@lru_cache(maxsize=1)  # all classes of a pair are asked for in turn
def _shared(before: Recognised, after: Recognised) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the pictures that both judged stand in each."""
    of_before, of_after = (image_keys(of.identities, of.labels) for of in (before, after))
    _, a, b = np.intersect1d(of_before, of_after, return_indices=True)
    return a, b


def _means_drawn(random: np.random.Generator, *values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(len(values), RESAMPLES): the means of values (N,), all of them of the images that are drawn, with replacement.

    Images that have the same values are drawn at once: there are a few kinds, and thousands of images.
    """
    kinds, counts = np.unique(np.stack(values), axis=1, return_counts=True)
    count = len(values[0])
    means: NDArray[np.float64] = kinds @ (random.multinomial(count, counts / count, RESAMPLES) / count).T
    return means
