"""The difference of two arms by every measure, with what seeds and images make of it (docs/statistics.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb.analysis.comparison.arm import Arm
from fer_perturb.analysis.comparison.contrast import Contrast
from fer_perturb.analysis.metrics import measured, scores
from fer_perturb.analysis.predictions import Predictions
from fer_perturb.analysis.statistics import (
    Estimate,
    Improvement,
    OverSeeds,
    holm,
    mcnemar,
    over_seeds_and_images,
    probability_of_improvement,
)
from fer_perturb.errors import UserError

Pair = tuple[Predictions, Predictions]


@dataclass(frozen=True)
class OfClass:
    """One class's differences over seeds, as shares; p: two-sided, of the accuracy, with Holm over all classes."""

    accuracy: OverSeeds
    f1: OverSeeds
    p: float


@dataclass(frozen=True)
class Comparison:
    """Differences, first less second, as shares: 0.01 is a point.

    seeds: those that both arms have; everything is of these. paired: both judged the same images.
    measures: by name (`metrics.measured`), over paired seeds. accuracy, balanced_accuracy: over seeds and images both.
    mcnemar: seed -> p of its two networks, none where images are not paired.
    improvement: the probability that a seed of the first has the higher balanced accuracy.
    """

    contrast: Contrast
    seeds: tuple[int, ...]
    paired: bool
    measures: Mapping[str, OverSeeds]
    accuracy: Estimate
    balanced_accuracy: Estimate
    per_class: Mapping[str, OfClass]
    mcnemar: Mapping[int, float]
    improvement: Improvement


def compare(first: Arm, second: Arm) -> Comparison:
    """Compares two arms on the seeds they share.

    Where both judged mostly the same images these alone count, paired; else each counts all of its own.

    Raises UserError where they share no seed, or differ in classes, precision or test-time augmentation.
    """
    seeds = sorted(first.predicted.keys() & second.predicted.keys())
    _refuse(first, second, seeds)
    pairs, paired = _pairs([(first.predicted[seed], second.predicted[seed]) for seed in seeds])
    each = [tuple(measured(of) for of in pair) for pair in pairs]
    balanced = [[one[k]["balanced_accuracy"] for one in each] for k in range(2)]
    return Comparison(
        contrast=Contrast.of(first, second),
        seeds=tuple(seeds),
        paired=paired,
        measures={name: OverSeeds.of([a[name] - b[name] for a, b in each]) for name in each[0][0]},
        accuracy=_of_both(pairs, paired, balanced=False),
        balanced_accuracy=_of_both(pairs, paired, balanced=True),
        per_class=_per_class(pairs),
        mcnemar={
            seed: mcnemar(*(_right(of) for of in pair)) for seed, pair in zip(seeds, pairs, strict=True) if paired
        },
        improvement=probability_of_improvement(*balanced),
    )


def adjusted(comparisons: Sequence[Comparison], measure: str = "balanced_accuracy") -> list[float]:
    """p of each comparison's difference in a measure, two-sided, with Holm over all of them."""
    return holm([of.measures[measure].p for of in comparisons])


def _refuse(first: Arm, second: Arm, seeds: Sequence[int]) -> None:
    names = f"{first.name} and {second.name}"
    if not seeds:
        raise UserError(
            f"{names} share no seed ({sorted(first.predicted)}; {sorted(second.predicted)}): expected some."
        )
    if first.tta != second.tta:
        raise UserError(f"{names} differ in test-time augmentation ({first.tta}, {second.tta}): expected one for both.")
    for seed in seeds:
        if first.precision[seed] != second.precision[seed]:
            raise UserError(f"{names} differ in precision at seed {seed}: expected one for all runs of a seed.")
        if first.predicted[seed].classes != second.predicted[seed].classes:
            raise UserError(f"{names} do not know the same classes: expected runs on one dataset.")


def _pairs(predicted: Sequence[Pair]) -> tuple[list[Pair], bool]:
    """Each arm's predictions with their images in one order for all seeds, and whether the arms' images are the same.

    Raises UserError where the seeds of an arm judged different images.
    """
    ordered = [tuple(of.rows(np.argsort(of.keys())) for of in pair) for pair in predicted]
    keys = [[pair[k].keys() for pair in ordered] for k in range(2)]
    if not all(np.array_equal(of_seed, of_arm[0]) for of_arm in keys for of_seed in of_arm):
        raise UserError("Runs of one arm were tested on different images: expected the same for all of its seeds.")
    _, a, b = np.intersect1d(keys[0][0], keys[1][0], return_indices=True)
    paired = 2 * len(a) > min(len(keys[0][0]), len(keys[1][0]))
    if paired:
        return [(one.rows(a), other.rows(b)) for one, other in ordered], True
    return [(one, other) for one, other in ordered], False


def _right(of: Predictions) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = (of.logits.argmax(dim=1) == of.labels).numpy()
    return right


def _of_both(pairs: Sequence[Pair], paired: bool, *, balanced: bool) -> Estimate:
    """Over seeds and images; arms that judged different images have nothing in common."""
    first, second = (np.array([_right(pair[k]) for pair in pairs], dtype=float) for k in range(2))
    labels = [pairs[0][k].labels.numpy() for k in range(2)]
    if paired:
        return over_seeds_and_images(first - second, labels[0], balanced=balanced)
    arms = zip((first, second), labels, strict=True)
    one, other = (over_seeds_and_images(of, own, balanced=balanced) for of, own in arms)
    return one - other


def _per_class(pairs: Sequence[Pair]) -> dict[str, OfClass]:
    """Of the classes that both arms' images show."""
    each: list[list[dict[str, Any]]] = [[scores(of)["per_class"] for of in pair] for pair in pairs]
    there = [name for name in pairs[0][0].classes if all(of[name]["support"] for pair in each for of in pair)]
    over = {
        key: {name: OverSeeds.of([a[name][key] - b[name][key] for a, b in each]) for name in there}
        for key in ("accuracy", "f1")
    }
    p = holm([over["accuracy"][name].p for name in there])
    return {name: OfClass(over["accuracy"][name], over["f1"][name], of) for name, of in zip(there, p, strict=True)}
