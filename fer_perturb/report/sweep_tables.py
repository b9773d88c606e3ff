"""The tables of grids, from the runs' summaries: every setting, or every network with and without the scheme."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from matplotlib.figure import Figure

from fer_perturb.report.settings import Run

SEEDS = "Means over the seeds; ± is the standard deviation between them, where there are several."
POINTS = "A difference is in points, of the means; one seed cannot tell what another would have changed."


def grid(runs: Sequence[Run]) -> tuple[list[str], Figure | None]:
    """A row a setting: its scores on val, by which one would choose, and on test; a figure of the latter."""
    settings = _by(runs, "scheme")
    if len(settings) < 2:
        return [], None
    base = settings.get("baseline")
    lines = [f"Accuracy, % ({runs[0][1]['model']}):", ""]
    headings = ["setting", "seeds", "val", "test", "test, balanced", "image alone", "over views"]
    lines += ["| " + " | ".join([*headings, *(["against the baseline"] if base else [])]) + " |"]
    lines += ["|---" * (len(headings) + bool(base)) + "|"]
    for name, of in settings.items():
        cells = [f"`{name}`", ", ".join(str(summary["seed"]) for _, summary in of)]
        for split, score in (
            ("val", "accuracy"),
            ("test", "accuracy"),
            ("test", "balanced_accuracy"),
            ("test_original", "accuracy"),
            ("test_views", "accuracy"),
        ):
            cells.append(_percent(_scores(of, split, score)))
        if base:
            cells.append("" if of is base else _points(_scores(base, "test"), _scores(of, "test")))
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", SEEDS, *([POINTS] if base else []), ""], _dots(settings)


def table2(runs: Sequence[Run]) -> tuple[list[str], Figure | None]:
    """The paper's Tables 2 and 3: a row a network, then what each emotion gains."""
    networks = {
        model: pair
        for model, of in _by(runs, "model").items()
        if {"baseline", "perturb"} <= (pair := _by(of, "scheme")).keys()
    }
    if not networks:
        return [], None
    lines = ["Balanced accuracy (%) and macro F1 on the test split:", ""]
    lines += [
        "| | seeds | accuracy, baseline | accuracy, Perturb | gain, points | F1, baseline | F1, Perturb |",
        "|---" * 7 + "|",
    ]
    for model, pair in networks.items():
        both = [pair["baseline"], pair["perturb"]]
        accuracy = [_scores(of, "test", "balanced_accuracy") for of in both]
        f1 = [f"{mean(_scores(of, 'test', 'f1_macro')):.3f}" for of in both]
        seeds = ", ".join(str(summary["seed"]) for _, summary in both[1])
        lines.append(
            f"| {model} | {seeds} | {' | '.join(map(_percent, accuracy))} | {_points(*accuracy)} | {' | '.join(f1)} |"
        )
    emotions = list(runs[0][1]["test"]["per_class"])
    lines += ["", "What each emotion gains, in points of its accuracy:", ""]
    lines += [f"| | {' | '.join(networks)} |", "|---" * (1 + len(networks)) + "|"]
    for emotion in emotions:
        gains = [
            _points(*(_of_class(pair[name], emotion) for name in ("baseline", "perturb"))) for pair in networks.values()
        ]
        lines.append(f"| {emotion} | {' | '.join(gains)} |")
    return [*lines, "", SEEDS, POINTS, ""], None


def _by(runs: Sequence[Run], key: str) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run[1][key], []).append(run)
    return found


def _scores(runs: Sequence[Run], split: str, score: str = "accuracy") -> list[float]:
    """Of each run; none where a run has no such split, or no image in it."""
    found = [(summary[split] or {}).get(score) for _, summary in runs]
    return [value for value in found if value is not None]


def _of_class(runs: Sequence[Run], name: str) -> list[float]:
    found = [summary["test"]["per_class"][name]["accuracy"] for _, summary in runs]
    return [value for value in found if value is not None]


def _percent(values: Sequence[float]) -> str:
    if not values:
        return "-"
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


def _points(before: Sequence[float], after: Sequence[float]) -> str:
    return f"{100 * (mean(after) - mean(before)):+.1f}" if before and after else "-"


def _dots(settings: Mapping[str, Sequence[Run]]) -> Figure:
    """Accuracy on test: a dot a seed, a line at each mean."""
    figure = Figure(figsize=(7, 1.2 + 0.32 * len(settings)), layout="constrained")
    axis = figure.subplots()
    for row, of in enumerate(settings.values()):
        values = [100 * value for value in _scores(of, "test")]
        axis.plot(values, [row] * len(values), "o", color="C0", alpha=0.6)
        axis.plot([mean(values)] * 2, [row - 0.3, row + 0.3], color="C3", linewidth=2)
    axis.set_yticks(range(len(settings)), list(settings), fontsize=9)
    axis.invert_yaxis()
    axis.set_xlabel("accuracy on the test split, %; a dot a seed, red: their mean")
    axis.grid(axis="x", alpha=0.3)
    return figure
