"""What is compared: the runs of one setting, a seed each, judged in one reading; and what they spent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from fer_perturb.analysis.predictions import Predictions, read_predictions
from fer_perturb.analysis.statistics import OverSeeds
from fer_perturb.errors import UserError
from fer_perturb.runs.summary_file import sealed_summary

Reading = Literal["original", "views"]
SAME = ("dataset", "model", "scheme", "tta")  # of all runs of an arm


@dataclass(frozen=True)
class Spent:
    """What a run took in training, in the mean over seeds: the three budgets (docs/design.md, decision 7).

    epochs, passes: the predictor's. flops: of all phases. NaN where a run does not say, as of an ensemble.
    """

    epochs: float
    passes: float
    flops: float


@dataclass(frozen=True, eq=False)
class Arm:
    """name: the scheme's. predicted: seed -> what its run predicted in that reading. precision: seed -> its run's."""

    name: str
    reading: Reading
    tta: str
    spent: Spent
    precision: Mapping[int, str]
    predicted: Mapping[int, Predictions]

    def judged(self, change: Callable[[Predictions], Predictions | None]) -> "Arm":
        """By other labels, or on some of the images: `selections.by_votes`, `selections.without_twins`.

        Raises UserError where none remain.
        """
        changed = {seed: change(of) for seed, of in self.predicted.items()}
        left = {seed: of for seed, of in changed.items() if of is not None}
        if len(left) < len(changed):
            raise UserError(f"{self.name}: no image remains of seeds {sorted(set(changed) - set(left))}.")
        return replace(self, predicted=left)

    def over_seeds(self, measure: Callable[[Predictions], float]) -> OverSeeds:
        """The mean over seeds of what one number says of a run (`metrics.measured`)."""
        return OverSeeds.of([measure(of) for of in self.predicted.values()])


def read_arm(runs: Sequence[Path], reading: Reading, *, on: str | None = None) -> Arm:
    """The test predictions of runs that differ in nothing but their seed, say of collect(where=...)["run"].

    on: a file of predictions without its ending, as "maskfer" or "fer2013+mouth@1"; the runs' own dataset by default.

    Raises UserError where runs are damaged, have not predicted that, share a seed, or differ in what an arm has one of.
    """
    if not runs:
        raise UserError("An arm needs a run: none was given.")
    summaries = {run: sealed_summary(run, str(run)) for run in runs}
    first = next(iter(summaries.values()))
    by_seed: dict[int, Path] = {}
    for run, summary in summaries.items():
        if differing := [key for key in SAME if summary[key] != first[key]]:
            raise UserError(f"{run} and {runs[0]} differ in {', '.join(differing)}: expected runs of one setting.")
        if (other := by_seed.setdefault(summary["seed"], run)) != run:
            raise UserError(
                f"{run} and {other} have one seed, so they differ in a setting: name it, as in collect(where=...)."
            )
    spent = [_spent(summary) for summary in summaries.values()]
    seeds, way = sorted(by_seed), (on or first["dataset"], reading, first["tta"])
    return Arm(
        name=first["scheme"],
        reading=reading,
        tta=first["tta"],
        spent=Spent(*(mean(values) for values in zip(*spent, strict=True))),
        precision={seed: summaries[by_seed[seed]].get("precision", "") for seed in seeds},
        predicted={seed: _predicted(by_seed[seed], *way) for seed in seeds},
    )


def _predicted(run: Path, on: str, reading: Reading, tta: str) -> Predictions:
    path = run / "predictions" / f"{on}.parquet"
    found = read_predictions(path, split="test", inference=reading, tta=tta) if path.is_file() else None
    if found is None:
        raise UserError(f"{path} has no test predictions of inference={reading} with tta={tta}.")
    return found


def _spent(summary: dict[str, Any]) -> tuple[float, float, float]:
    predictor = summary["phases"]["predictor"] or {}  # an ensemble has none
    epochs, passes = (float(predictor.get(key, "nan")) for key in ("epochs", "passes"))
    flops = [float(phase.get("flops", "nan")) for phase in summary["phases"].values() if phase]
    return epochs, passes, sum(flops) if flops else float("nan")
