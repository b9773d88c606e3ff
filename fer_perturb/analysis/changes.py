"""How the accuracy on each emotion changes from one way of testing, or training, to another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_perturb.analysis.predictions import Predictions

RESAMPLES = 4000


@dataclass(frozen=True)
class Change:
    """Accuracies in [0, 1], and (after - before) / before with its 95 % interval; NaN where `before` is 0."""

    before: float
    after: float
    relative: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Judged:
    """Images and how often they were recognised: names and identities (N,), labels (N,), right answers (N,) in [0, 1].

    An image of MaskFer has the identity of the picture without its mask, so that the two are paired.
    """

    identities: NDArray[np.bytes_]
    names: NDArray[np.str_]
    labels: NDArray[np.int64]
    right: NDArray[np.float64]


def judged(runs: Sequence[Predictions]) -> Judged:
    """The mean over runs that judged the same images (over seeds, for one), by name.

    Raises ValueError where they did not.
    """
    orders = [np.argsort(run.names) for run in runs]
    names = runs[0].names[orders[0]]
    right = np.zeros(len(names))
    for run, order in zip(runs, orders, strict=True):
        if not np.array_equal(run.names[order], names):
            raise ValueError("the runs did not judge the same images")
        right += (run.logits.argmax(dim=1) == run.labels).numpy()[order]
    return Judged(runs[0].sha256[orders[0]], names, runs[0].labels.numpy()[orders[0]], right / len(runs))


def change(before: Judged, after: Judged, label: int | None = None, *, seed: int = 0) -> Change:
    """The change of the accuracy on the images of one label, or on all.

    Only images that both judged count, paired by name. The interval is a bootstrap's over those pairs (Efron and
    Tibshirani 1993, percentiles of RESAMPLES): it says what other test images would change, not what other seeds would.

    Raises ValueError where there is no such image, or one name stands for two pictures.
    """
    _, a, b = np.intersect1d(before.names, after.names, return_indices=True)
    if not np.array_equal(before.identities[a], after.identities[b]):
        raise ValueError("images of the same names are not the same pictures")
    chosen = np.ones(len(a), dtype=bool) if label is None else before.labels[a] == label
    first, second = before.right[a][chosen], after.right[b][chosen]
    if not len(first):
        raise ValueError("no image was judged both times")
    random = np.random.default_rng(seed)
    draws = random.multinomial(len(first), np.full(len(first), 1 / len(first)), RESAMPLES)
    relative = low = high = float("nan")
    if first.any():
        relative = float(second.sum() / first.sum() - 1)
        before_drawn, after_drawn = draws @ first, draws @ second
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = np.where(before_drawn > 0, after_drawn / before_drawn - 1, np.inf)  # from none any rise is endless
        # no interpolation, which could not come to a number beside an endless one
        low, high = (float(bound) for bound in np.percentile(drawn, [2.5, 97.5], method="inverted_cdf"))
    return Change(float(first.mean()), float(second.mean()), relative, low, high)
