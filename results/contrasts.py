"""What the study compares: contrasts of two arms, and the results in a folder that they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from fer_perturb.analysis.statistics import bootstrap
from fer_perturb.errors import UserError
from results.plan import ATTENTION, TEN, Run
from results.record import FERPLUS, HIDDEN, LABELS, Arrays, read_arrays, read_rows

MARGIN = 1.0  # points of balanced accuracy: less than that is no gain worth having (docs/protocol.md)
ALPHA = 0.025  # one-sided, as the end of a 95 % interval
BALANCED = "balanced_accuracy"
OCCLUDED = ("maskfer", *HIDDEN)


@dataclass(frozen=True)
class Contrast:
    """One arm less another, each in a reading, in the mean over test sets; of each arm, less what it has on `minus`."""

    what: str
    first: str
    second: str
    readings: tuple[str, str] = ("original", "original")
    sets: tuple[str, ...] = ("whole",)
    minus: tuple[str, ...] = ()


WHOLE_VIEWS = ("views", "original")
# of each hypothesis the first is the primary one
HYPOTHESES = {
    "H1: Perturb beats the baseline": (
        Contrast("equal operations, over the views", "perturb", "baseline_2x", WHOLE_VIEWS),
        Contrast("equal operations, image alone", "perturb", "baseline_2x"),
        Contrast("equal epochs, over the views", "perturb", "baseline", WHOLE_VIEWS),
        Contrast("equal epochs, image alone", "perturb", "baseline"),
        Contrast("views=all, equal passes, over the views", "perturb_all", "baseline_2x", WHOLE_VIEWS),
        Contrast("views=all, equal passes, image alone", "perturb_all", "baseline_2x"),
        Contrast("against FER+'s labels, equal operations, over the views", "perturb", "baseline_2x", WHOLE_VIEWS,
                 (FERPLUS,)),
        Contrast("the baseline under Perturb's views too, equal operations", "perturb", "baseline_2x",
                 ("views", "perturb_views")),
    ),
    "H2: Perturb is more robust under occlusion": (
        Contrast("mean of five occlusions, equal operations, over the views", "perturb", "baseline_2x", WHOLE_VIEWS,
                 OCCLUDED),
        Contrast("the same, image alone", "perturb", "baseline_2x", sets=OCCLUDED),
        Contrast("the same, equal epochs, over the views", "perturb", "baseline", WHOLE_VIEWS, OCCLUDED),
        Contrast("what occlusion leaves of whole faces' points, over the views", "perturb", "baseline_2x", WHOLE_VIEWS,
                 OCCLUDED, ("whole",)),
        *(Contrast(name, "perturb", "baseline_2x", WHOLE_VIEWS, (name,)) for name in OCCLUDED),
    ),
    "H3: attention adds something to position": (
        Contrast("equal operations, image alone", "perturb", "position_only_2x"),
        Contrast("equal operations, over the views", "perturb", "position_only_2x", ("views", "views")),
        Contrast("equal epochs, image alone", "perturb", "position_only"),
        Contrast("equal epochs, over the views", "perturb", "position_only", ("views", "views")),
        Contrast("real maps less upside-down ones, image alone", "perturb", "moved_maps"),
        Contrast("all clusters less the least attended, image alone", "perturb", "least_attended"),
        Contrast("clusters less random rectangles, image alone", "perturb", "extra_erasing"),
        Contrast("a map per image less one map, image alone", "perturb_image", "perturb"),
        Contrast("a map per image less landmarks, image alone", "perturb_image", "landmarks"),
        Contrast("phase 1 alone less the baseline, equal epochs", ATTENTION, "baseline"),
        Contrast("hiding by position less the baseline, equal operations", "position_only_2x", "baseline_2x"),
    ),
}  # fmt: skip


class Results:
    """What lies in a folder: rows by arm, network and seed, of the confirmatory seeds alone, and answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = read_rows(folder / "confirm.csv")
        self.rows = {Run(row["arm"], row["network"], int(row["seed"])): row for row in found if int(row["seed"]) in TEN}
        self.answers: dict[Run, Arrays] = {}

    @cached_property
    def labels(self) -> Arrays:
        return read_arrays(self.folder / "labels.npz")

    def seeds(self, network: str, *arms: str) -> list[int]:
        """Those with which all of the arms were run."""
        return [seed for seed in TEN if all(Run(arm, network, seed) in self.rows for arm in arms)]

    def value(self, contrast: Contrast, run: Run, reading: str, metric: str) -> float | None:
        """What a contrast compares of a run, in per cent; None where the run has none of it."""
        value, less = (self.points(run, reading, sets, metric) for sets in (contrast.sets, contrast.minus))
        return value - (less or 0.0) if value is not None else None

    def points(self, run: Run, reading: str, sets: Sequence[str], metric: str) -> float | None:
        """The mean over test sets of a metric, in per cent; None where the run has none of it."""
        values = [self.rows[run].get(f"{name}.{reading}.{metric}") for name in sets]
        return 100 * mean(float(value) for value in values if value) if values and all(values) else None

    def pairs(self, contrast: Contrast, network: str, metric: str) -> list[float]:
        """The differences, in points, of each seed with which both arms were run, in one precision."""
        differences = []
        for seed in self.seeds(network, contrast.first, contrast.second):
            runs = [Run(arm, network, seed) for arm in (contrast.first, contrast.second)]
            if len({self.rows[run]["precision"] for run in runs}) > 1:
                raise UserError(
                    f"{runs[0].name} and {runs[1].name} differ in precision; expected one for all of a seed."
                )
            ways = zip(runs, contrast.readings, strict=True)
            both = [self.value(contrast, run, reading, metric) for run, reading in ways]
            if both[0] is not None and both[1] is not None:
                differences.append(both[0] - both[1])
        return differences

    def right(self, run: Run, reading: str, sets: Sequence[str]) -> NDArray[np.float64]:
        """(images,): whether a run's answers are right, in the mean over test sets."""
        if run not in self.answers:
            self.answers[run] = read_arrays(self.folder / "logits" / f"{run.name}.npz")
        stored, own = self.answers[run], self.labels
        of = {name: ("whole", own[FERPLUS]) if name == FERPLUS else (name, own[LABELS]) for name in sets}
        found = [stored[f"{tested}.{reading}"] == labels for tested, labels in of.values()]
        return np.asarray(np.mean(found, axis=0), dtype=np.float64)

    def interval(self, contrast: Contrast, network: str) -> tuple[float, float]:
        """The two-level bootstrap's, of the balanced accuracy."""
        differences = []
        for seed in self.seeds(network, contrast.first, contrast.second):
            first, second = (
                self.right(Run(arm, network, seed), reading, contrast.sets)
                - (self.right(Run(arm, network, seed), reading, contrast.minus) if contrast.minus else 0.0)
                for arm, reading in zip((contrast.first, contrast.second), contrast.readings, strict=True)
            )
            differences.append(first - second)
        labels = self.labels[FERPLUS if FERPLUS in contrast.sets else LABELS]
        there = labels >= 0
        return bootstrap(np.array(differences)[:, there], labels[there])
