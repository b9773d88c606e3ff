"""The tables of grids, from the runs' summaries: every setting, or every network with and without the scheme."""

from collections.abc import Mapping, Sequence
from statistics import mean

from matplotlib.figure import Figure

from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.judging import POINTS, SEEDS, by, of_class, percent, points, scores
from fer_perturb.report.settings import Run
from fer_perturb.tables.table import Column, Table, number, words

SCORES = {
    "val": ("val", "accuracy"),
    "test": ("test", "accuracy"),
    "test, balanced": ("test", "balanced_accuracy"),
    "image alone": ("test_original", "accuracy"),
    "over views": ("test_views", "accuracy"),
}


def grid(runs: Sequence[Run]) -> Exhibit | None:
    """A row a setting: its scores on val, by which one would choose, and on test; a figure of the latter."""
    settings = by(runs, "scheme")
    if len(settings) < 2:
        return None
    base = settings.get("baseline")
    rows = []
    for name, of in settings.items():
        cells = [words(f"`{name}`"), words(", ".join(str(summary["seed"]) for _, summary in of))]
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


def table2(runs: Sequence[Run]) -> Exhibit | None:
    """The paper's Tables 2 and 3: a row a network, then what each emotion gains."""
    networks = {
        model: pair
        for model, of in by(runs, "model").items()
        if {"baseline", "perturb"} <= (pair := by(of, "scheme")).keys()
    }
    if not networks:
        return None
    rows = []
    for model, pair in networks.items():
        both = [pair["baseline"], pair["perturb"]]
        accuracy = [scores(of, "test", "balanced_accuracy") for of in both]
        f1 = [number(mean(scores(of, "test", "f1_macro")), ".3f") for of in both]
        seeds = ", ".join(str(summary["seed"]) for _, summary in both[1])
        rows.append([words(model), words(seeds), *map(percent, accuracy), points(*accuracy), *f1])
    left = [Column("", align="left"), Column("seeds", align="left")]
    headings = ("accuracy, baseline", "accuracy, Perturb", "gain, points", "F1, baseline", "F1, Perturb")
    title = "Balanced accuracy (%) and macro F1 on the test split"
    first = Table.of(title, [*left, *map(Column, headings)], rows, f"{SEEDS} {POINTS}")
    gains = [
        [
            words(name),
            *(points(of_class(pair["baseline"], name), of_class(pair["perturb"], name)) for pair in networks.values()),
        ]
        for name in runs[0][1]["test"]["per_class"]
    ]
    title = "What each emotion gains, in points of its accuracy"
    second = Table.of(title, [left[0], *map(Column, networks)], gains, POINTS)
    return Exhibit("What the scheme gains", [first, second])


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
