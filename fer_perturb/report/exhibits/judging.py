"""What exhibits ask of runs: which there are, what they predicted and score, and how two settings differ."""

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from fer_perturb.analysis.accuracy_change import Change, Recognised, change, judged
from fer_perturb.analysis.comparison import Comparison, compare_runs
from fer_perturb.analysis.comparison.arm import Reading
from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.analysis.statistics import Estimate, OverSeeds
from fer_perturb.errors import UserError
from fer_perturb.report.settings import Run
from fer_perturb.tables.table import Cell, number, words

SEEDS = "Means over the seeds; ± is the standard deviation between them, where there are several."
GAIN = (
    "In brackets 95 % intervals over seeds and test images; one seed has none, as it cannot tell what another would "
    "have changed."
)
UNREADABLE = (UserError, OSError, ValueError, KeyError, TypeError)  # of predictions that are not there, or damaged


def each(runs: Sequence[Run], key: str) -> list[str]:
    """The values of a key of the summaries, each once."""
    return list(dict.fromkeys(run[1][key] for run in runs))


def by(runs: Sequence[Run], key: str) -> dict[str, list[Run]]:
    """The runs of each value of a key."""
    return {value: [run for run in runs if run[1][key] == value] for value in each(runs, key)}


def of_dataset(runs: Sequence[Run], dataset: str) -> list[Run]:
    """Those that were trained on it."""
    return [run for run in runs if run[1]["dataset"] == dataset]


def whole_faces(runs: Sequence[Run]) -> list[Run]:
    """Those of which nothing was hidden beforehand, and no masks were worn."""
    return [run for run in runs if "+" not in run[1]["dataset"] and run[1]["dataset"] != "maskfer"]


def one_a_seed(runs: Sequence[Run]) -> list[Run]:
    """One run for each network, data, scheme and seed: others only differ in what they were tested on."""
    first: dict[tuple[object, ...], Run] = {}
    for run in runs:
        first.setdefault(tuple(run[1][key] for key in ("model", "dataset", "scheme", "seed")), run)
    return list(first.values())


def baseline_of(runs: Sequence[Run]) -> list[Run]:
    """The baseline's among the runs of one network; none where there is none."""
    return next((of for of in by(runs, "scheme").values() if of[0][1]["kind"] == "baseline"), [])


def seeds(runs: Sequence[Run]) -> str:
    """Which network and seeds, for a title."""
    found = seed_numbers(runs)
    return f" ({runs[0][1]['model']}, seed{'s' * (', ' in found)} {found})"


def seed_numbers(runs: Sequence[Run]) -> str:
    """The seeds: 0, 1, 2."""
    return ", ".join(map(str, sorted({run[1]["seed"] for run in runs})))


def scores(runs: Sequence[Run], split: str, score: str = "accuracy") -> list[float]:
    """Of each run; none where a run has no such split, or no image in it."""
    found = [(summary[split] or {}).get(score) for _, summary in runs]
    return [value for value in found if value is not None]


def percent(values: Sequence[float]) -> Cell:
    """The mean of shares over seeds, in per cent, and how far they spread."""
    if not values:
        return number(None)
    return number(100 * mean(values), spread=100 * stdev(values) if len(values) > 1 else None)


def decimal(values: Sequence[float]) -> Cell:
    """The mean of values over seeds, and how far they spread."""
    if not values:
        return number(None)
    return number(mean(values), ".3f", spread=stdev(values) if len(values) > 1 else None)


def points(before: Sequence[float], after: Sequence[float]) -> Cell:
    """The difference of two means of shares, in points."""
    return number(100 * (mean(after) - mean(before)) if before and after else None, "+.1f")


def difference(of: Estimate | None) -> Cell:
    """A difference of shares, in points, with its interval."""
    if of is None:
        return number(None)
    low, high = of.interval()
    return number(100 * of.mean, "+.1f", interval=(100 * low, 100 * high))


def compared(first: Sequence[Run], second: Sequence[Run], reading: Reading | None = None) -> Comparison | None:
    """Two settings, each in the reading that its scheme asks for; None where their predictions do not tell.

    reading: the first's instead.
    """
    try:
        readings = reading or first[0][1]["inference"], second[0][1]["inference"]
        return compare_runs([run for run, _ in first], [run for run, _ in second], readings)
    except UNREADABLE:
        return None


def over_seeds(first: Sequence[Run], second: Sequence[Run], *keys: str, split: str = "test") -> OverSeeds | None:
    """The difference in a score, `keys` into the summaries' test, over the seeds that both have.

    split: of the first, for another reading.
    """
    pairs = []
    of_first, of_second = ({summary["seed"]: summary for _, summary in runs} for runs in (first, second))
    for seed in sorted(of_first.keys() & of_second.keys()):
        pair = [_at(of_first[seed], (split, *keys)), _at(of_second[seed], ("test", *keys))]
        if pair[0] is not None and pair[1] is not None:
            pairs.append(pair[0] - pair[1])
    return OverSeeds.of(pairs) if pairs else None


def gained(first: Sequence[Run], second: Sequence[Run]) -> Estimate | None:
    """The difference in balanced accuracy over seeds and images; over seeds alone where predictions do not tell."""
    found = compared(first, second)
    return found.balanced_accuracy if found else over_seeds(first, second, "balanced_accuracy")


def _at(value: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        value = (value or {}).get(key)
    return value


def tested(runs: Sequence[Run], dataset: str) -> Recognised:
    """The test split of a dataset, judged as each run's scheme judges. Raises UserError where none is predicted."""
    found = []
    for directory, summary in runs:
        file = directory / "predictions" / f"{dataset}.parquet"
        if not file.is_file():
            raise UserError(f"{file} is not there. The command that trained it mends it.")
        read = read_predictions(file, split="test", inference=summary["inference"], tta=summary["tta"])
        if read is None:
            raise UserError(f"{file} has no test predictions of inference={summary['inference']}.")
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


def scheme_words(runs: Sequence[Run]) -> Cell:
    """The scheme of runs of one setting."""
    return words(f"`{runs[0][1]['scheme']}`")
