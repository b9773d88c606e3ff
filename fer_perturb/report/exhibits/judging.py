"""What exhibits ask of runs: which there are, what they predicted, and what their seeds score."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

import numpy as np

from fer_perturb.analysis.accuracy_change import Change, Recognised, change, judged
from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.report.settings import Run
from fer_perturb.tables.table import Cell, Column, Table, number, words

INTERVALS = (
    "In brackets 95 % intervals by a bootstrap over the test images{paired}. They do not cover what other seeds would "
    "change."
)
SEEDS = "Means over the seeds; ± is the standard deviation between them, where there are several."
POINTS = "A difference is in points, of the means; one seed cannot tell what another would have changed."


def each(runs: Sequence[Run], key: str) -> list[str]:
    """The values of a key of the summaries, each once."""
    return list(dict.fromkeys(run[1][key] for run in runs))


def by(runs: Sequence[Run], key: str) -> dict[str, list[Run]]:
    """The runs of each value of a key."""
    return {value: [run for run in runs if run[1][key] == value] for value in each(runs, key)}


def of_dataset(runs: Sequence[Run], dataset: str) -> list[Run]:
    """Those that were trained on it."""
    return [run for run in runs if run[1]["dataset"] == dataset]


def seeds(runs: Sequence[Run]) -> str:
    """Which network and seeds, for a title."""
    found = sorted({run[1]["seed"] for run in runs})
    return f" ({runs[0][1]['model']}, seed{'s' * (len(found) > 1)} {', '.join(map(str, found))})"


def scores(runs: Sequence[Run], split: str, score: str = "accuracy") -> list[float]:
    """Of each run; none where a run has no such split, or no image in it."""
    found = [(summary[split] or {}).get(score) for _, summary in runs]
    return [value for value in found if value is not None]


def of_class(runs: Sequence[Run], name: str) -> list[float]:
    """The accuracy of each run on one class of the test split."""
    found = [summary["test"]["per_class"][name]["accuracy"] for _, summary in runs]
    return [value for value in found if value is not None]


def percent(values: Sequence[float]) -> Cell:
    """The mean of shares over seeds, in per cent, and how far they spread."""
    if not values:
        return number(None)
    return number(100 * mean(values), spread=100 * stdev(values) if len(values) > 1 else None)


def points(before: Sequence[float], after: Sequence[float]) -> Cell:
    """The difference of two means of shares, in points."""
    return number(100 * (mean(after) - mean(before)) if before and after else None, "+.1f")


def tested(runs: Sequence[Run], dataset: str) -> Recognised:
    """The test split of a dataset, judged as each run's scheme judges."""
    found = []
    for directory, summary in runs:
        file = directory / "predictions" / f"{dataset}.parquet"
        read = read_predictions(file, split="test", inference=summary["inference"], tta=summary["tta"])
        assert read is not None
        found.append(read)
    return judged(found)


def changes(before: Recognised, after: Recognised, runs: Sequence[Run]) -> dict[str, Change]:
    """The change on all images, and on those of each class by its name."""
    labels: dict[str, int | None] = {"all": None}
    labels |= {name: label for label, name in enumerate(runs[0][1]["test"]["per_class"])}
    return {name: change(before, after, label) for name, label in labels.items()}


def relative(found: Change) -> Cell:
    """A change in per cent of what it was, with its interval."""
    return number(100 * found.relative, "+.0f", interval=(100 * found.low, 100 * found.high))


def intervals(columns: Mapping[str, Mapping[str, Change]]) -> str:
    """What the intervals of such changes are, and which are not paired."""
    apart = [title for title, of in columns.items() if not all(found.paired for found in of.values())]
    but = f" (not of those {'; '.join(apart)}: they are other pictures)" if apart else ""
    return INTERVALS.format(paired=f", which are paired{but}")


def answers(title: str, rows: Mapping[str, Recognised], emotions: Sequence[str]) -> Table:
    """How often each emotion is answered: an emotion that is answered more often is also found more often."""
    of = next(iter(rows.values())).labels
    shares = np.bincount(of, minlength=len(emotions)) / len(of)
    answered = {"its share of the images": shares} | {name: row.answered for name, row in rows.items()}
    lines = [[words(name), *(number(100 * share, ".0f") for share in each)] for name, each in answered.items()]
    return Table.of(
        f"How often each emotion is answered, % of all images: {title}",
        [Column("", align="left"), *map(Column, emotions)],
        lines,
    )
