"""A row a setting: what it scores, how it differs from the baseline, and what it took."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from matplotlib.figure import Figure

from fer_perturb.analysis.comparison import Comparison
from fer_perturb.analysis.comparison.arm import Reading
from fer_perturb.analysis.statistics import Estimate, OverSeeds, holm
from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.figures import NAN, Bar, interval_figure
from fer_perturb.report.exhibits.judging import (
    GAIN,
    SEEDS,
    baseline_of,
    by,
    compared,
    difference,
    each,
    over_seeds,
    percent,
    points,
    scheme_words,
    scores,
    seed_numbers,
    whole_faces,
)
from fer_perturb.report.settings import Run
from fer_perturb.tables.table import Cell, Column, Table, number, words

SCORES = {
    "val": ("val", "accuracy"),
    "test": ("test", "accuracy"),
    "test, balanced": ("test", "balanced_accuracy"),
    "image alone": ("test_original", "accuracy"),
    "over views": ("test_views", "accuracy"),
}
POINTS = "A difference is in points, of the means; one seed cannot tell what another would have changed."
CONTROLS_NOTE = (
    f"`read by`: whether an image is judged alone, or by the mean over its views. {GAIN} `p`: two-sided over seeds, "
    "with Holm over the rows. `effect`: the mean in deviations of a seed (Hedges). `better`: how often a run of the "
    "row beats one of the baseline, over all pairs of seeds. `equal`: which of epochs, image passes and operations "
    "(flops) both spent equally, within a tenth."
)
READ: dict[Reading, str] = {"original": "image alone", "views": "views"}


def grid(runs: Sequence[Run]) -> Exhibit | None:
    """A row a setting: its scores on val, by which one would choose, and on test; a figure of the latter."""
    settings = by(runs, "scheme")
    if len(settings) < 2:
        return None
    base = settings.get("baseline")
    rows = []
    for of in settings.values():
        cells = [scheme_words(of), words(seed_numbers(of))]
        cells += [percent(scores(of, *which)) for which in SCORES.values()]
        if base:
            cells.append(words("") if of is base else points(scores(base, "test"), scores(of, "test")))
        rows.append(cells)
    headings = [*SCORES, *(["against the baseline"] if base else [])]
    table = Table.of(
        f"Accuracy, % ({runs[0][1]['model']})",
        [Column("setting", align="left"), Column("seeds", align="left"), *map(Column, headings)],
        rows,
        f"{SEEDS} {POINTS}" if base else SEEDS,
    )
    return Exhibit("Accuracy of each setting", [table], _dots(settings))


def controls(runs: Sequence[Run]) -> Exhibit | None:
    """A row a scheme and reading: its balanced accuracy, and its difference from the baseline."""
    tables, bars = list[Table](), list[Bar]()
    several = len(each(runs, "model")) > 1
    for model, of_model in by(whole_faces(runs), "model").items():
        for data, of in by(of_model, "dataset").items():
            base = baseline_of(of)
            found = [_against(base, same, reading) for same, reading in _read(of, base)] if base else []
            if found:
                tables.append(_differences(f"Against the baseline: {model}, {data}", base, found))
                bars += [one.bar(model if several else "") for one in found if one.estimate]
    label = "points of balanced accuracy above the baseline"
    return Exhibit("Is it the scheme?", tables, interval_figure(bars, label) if bars else None) if tables else None


@dataclass(frozen=True)
class Against:
    """A setting in a reading, and its difference from the baseline: by predictions, and over seeds alone."""

    runs: Sequence[Run]
    reading: Reading
    comparison: Comparison | None
    seeds: OverSeeds | None

    @property
    def estimate(self) -> Estimate | None:
        return self.comparison.balanced_accuracy if self.comparison else self.seeds

    @property
    def split(self) -> str:
        """Where a summary has its scores."""
        return "test" if self.reading == self.runs[0][1]["inference"] else f"test_{self.reading}"

    def bar(self, model: str) -> Bar:
        assert self.estimate
        low, high = self.estimate.interval()
        name = f"{self.runs[0][1]['scheme']} ({READ[self.reading]})" + (f", {model}" if model else "")
        return Bar(name, 100 * self.estimate.mean, 100 * low, 100 * high)


def _read(runs: Sequence[Run], base: Sequence[Run]) -> Iterator[tuple[Sequence[Run], Reading]]:
    """Each other setting as its scheme is judged, and by the image alone."""
    for of in by(runs, "scheme").values():
        if of != base:
            yield of, of[0][1]["inference"]
            if of[0][1]["inference"] == "views" and all(summary["test_original"] for _, summary in of):
                yield of, "original"


def _against(base: Sequence[Run], of: Sequence[Run], reading: Reading) -> Against:
    split = "test" if reading == of[0][1]["inference"] else f"test_{reading}"
    return Against(of, reading, compared(of, base, reading), over_seeds(of, base, "balanced_accuracy", split=split))


def _differences(title: str, base: Sequence[Run], found: Sequence[Against]) -> Table:
    p = holm([NAN if one.seeds is None else one.seeds.p for one in found])
    told = [scheme_words(base), words(READ[base[0][1]["inference"]]), words(seed_numbers(base)), _balanced(base)]
    rows = [[*told, *([words("")] * 5)]]
    for one, own in zip(found, p, strict=True):
        several = one.seeds is not None and one.seeds.n > 1
        cells = [scheme_words(one.runs), words(READ[one.reading]), words(seed_numbers(one.runs))]
        cells += [percent(scores(one.runs, one.split, "balanced_accuracy")), difference(one.estimate)]
        cells += [number(own if several else None, ".2g"), number(one.seeds.effect if one.seeds else None, "+.1f")]
        better = 100 * one.comparison.improvement.probability if one.comparison and several else None
        equal = ", ".join(one.comparison.contrast.equal) or "nothing" if one.comparison else ""
        rows.append([*cells, number(better, ".0f"), words(equal)])
    left = [Column(name, align="left") for name in ("scheme", "read by", "seeds")]
    right = [Column("balanced accuracy", "%"), Column("difference", "points"), Column("p"), Column("effect")]
    right += [Column("better", "%"), Column("equal", align="left")]
    return Table.of(title, [*left, *right], rows, CONTROLS_NOTE)


def _balanced(of: Sequence[Run]) -> Cell:
    return percent(scores(of, "test", "balanced_accuracy"))


def budgets(runs: Sequence[Run]) -> Exhibit | None:
    """A row a setting: precision, the three budgets that it spent, the time it took, and what it reached."""
    return budgets_of({"": runs})


def budgets_of(groups: Mapping[str, Sequence[Run]]) -> Exhibit | None:
    """The same of several groups of runs, as one table; None where there are none."""
    rows = []
    for label, runs in groups.items():
        for of_model in by(runs, "model").values():
            for of_data in by(of_model, "dataset").values():
                for of in by(of_data, "scheme").values():
                    every = by(_with_precision(of), "precision").values()
                    rows += [[words(label or same[0][1]["recipe"]), *_spent(same)] for same in every]
    if not rows:
        return None
    headings = ("data and recipe", "trained on", "network", "scheme", "seeds", "precision", "device")
    left = [Column(name, align="left") for name in headings]
    right = [Column("epochs"), Column("passes", "millions"), Column("operations", "PFLOP"), Column("time", "min")]
    right += [Column("speed", "images/s"), Column("balanced accuracy", "%")]
    note = (
        "Passes and epochs are the predictor's; operations and time are those of all phases, one that another run has "
        f"made before with what it took then. {SEEDS}"
    )
    return Exhibit("Precision and budgets", [Table.of("What each setting took", [*left, *right], rows, note)])


def _with_precision(runs: Sequence[Run]) -> list[Run]:
    return [(run, {**summary, "precision": summary.get("precision", "?")}) for run, summary in runs]


def _spent(of: Sequence[Run]) -> list[Cell]:
    phases: list[dict[str, Any]] = [summary["phases"] for _, summary in of]
    predictors = [each_phase["predictor"] or {} for each_phase in phases]
    first = of[0][1]
    cells = [words(first["dataset"]), words(first["model"]), scheme_words(of), words(seed_numbers(of))]
    cells += [words(first["precision"]), words(str(first.get("device") or ""))]
    cells += [_mean([one.get("epochs") for one in predictors], ".0f")]
    cells += [_mean([one["passes"] / 1e6 for one in predictors if "passes" in one])]
    totals = {key: [_total(each_phase, key) for each_phase in phases] for key in ("flops", "seconds")}
    cells += [_mean([value / 1e15 for value in totals["flops"] if value])]
    cells += [_mean([value / 60 for value in totals["seconds"] if value])]
    return [*cells, _mean([summary.get("images_per_second") for _, summary in of], ".0f"), _balanced(of)]


def _total(phases: Mapping[str, Any], key: str) -> float:
    return sum(phase.get(key) or 0 for phase in phases.values() if phase)


def _mean(values: Sequence[float | None], spec: str = ".3g") -> Cell:
    there = [value for value in values if value is not None]
    return number(mean(there) if there else None, spec)


def _dots(settings: Mapping[str, Sequence[Run]]) -> Figure:
    """Accuracy on test: a dot a seed, a line at each mean."""
    figure = Figure(figsize=(7, 1.2 + 0.32 * len(settings)), layout="constrained")
    axis = figure.subplots()
    for row, of in enumerate(settings.values()):
        values = [100 * value for value in scores(of, "test")]
        axis.plot(values, [row] * len(values), "o", color="C0", alpha=0.6)
        axis.plot([mean(values)] * 2, [row - 0.3, row + 0.3], color="C3", linewidth=2)
    axis.set_yticks(range(len(settings)), list(settings), fontsize=9)
    axis.invert_yaxis()
    axis.set_xlabel("accuracy on the test split, %; a dot a seed, red: their mean")
    axis.grid(axis="x", alpha=0.3)
    return figure
