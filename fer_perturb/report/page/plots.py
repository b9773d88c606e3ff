"""Interactive plots, as plotly's JSON: colours are the page's variables, which its script puts in."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from statistics import mean
from typing import Any

from fer_perturb.report.figures import CLUSTER_COLOURS
from fer_perturb.report.page.contrasts import Contrast
from fer_perturb.report.page.curves import Curve
from fer_perturb.report.page.fields import Field, Setting
from fer_perturb.report.page.words import MINUS, span

MOST = 60  # rows of a plot
LINE, UNDER = 26, 13  # pixels a row, and a further line of its label
RIGHT: dict[str, Any] = {"tickmode": "auto", "overlaying": "y", "side": "right", "showgrid": False}
ABOVE: dict[str, Any] = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0}
DASHES = ("solid", "dash", "dot")


@dataclass(frozen=True)
class Plot:
    """title: what it shows, which a screen reader says; data, layout: plotly's; height: pixels.

    rows: the lines of each label on the left, whose places are 0, 1, ...; the page's script cuts them to its width.
    """

    title: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    height: int
    rows: Sequence[Sequence[str]] = ()

    @property
    def json(self) -> dict[str, Any]:
        return {"data": self.data, "layout": {**self.layout, "height": self.height}, "rows": self.rows}

    @classmethod
    def of_rows(cls, title: str, unit: str, data: list[dict[str, Any]], rows: Sequence[Sequence[str]]) -> "Plot":
        """A row each, the first on top; unit: of what lies along it."""
        layout = {
            "xaxis": {"title": {"text": unit}, "zeroline": True},
            "yaxis": {"range": [len(rows) - 0.4, -0.6], "showgrid": False, "zeroline": False},
            "legend": ABOVE,
            "showlegend": len(data) > 1,
        }
        return cls(title, data, layout, 110 + sum(LINE + UNDER * (len(of) - 1) for of in rows), rows)


def differences(contrasts: Sequence[Contrast]) -> Plot | None:
    """A row a contrast: the difference in balanced accuracy, in points, with its interval."""
    shown = [of for of in contrasts if of.deciding][:MOST]
    if not shown:
        return None
    several = len({of.field.name for of in shown}) > 1
    rows = [_label(of, several) for of in shown]
    traces = []
    for kind, name, colour in ((True, "less the baseline", "var(--accent)"), (False, "less a control", "var(--muted)")):
        places = [place for place, of in enumerate(shown) if of.against_baseline is kind]
        if not places:
            continue
        means = [100 * shown[place].balanced.mean for place in places]
        ends = [shown[place].interval for place in places]
        above = [_length(100 * high - at) for (_, high), at in zip(ends, means, strict=True)]
        below = [_length(at - 100 * low) for (low, _), at in zip(ends, means, strict=True)]
        intervals = [span(*end) if end[0] == end[0] else "one seed" for end in ends]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": _rounded(means),
                "y": places,
                "error_x": {"type": "data", "array": above, "arrayminus": below, "thickness": 2, "width": 0},
                "marker": {"color": colour, "size": 9},
                "hovertemplate": "%{text}<extra></extra>",
                "text": [
                    f"{'<br>'.join(map(escape, rows[place]))}<br>{at:+.1f} points ({of})"
                    for place, at, of in zip(places, means, intervals, strict=True)
                ],
            }
        )
    title = "Differences in balanced accuracy, with 95 % intervals"
    return Plot.of_rows(title, "points of balanced accuracy", traces, rows)


def _label(of: Contrast, several: bool) -> list[str]:
    """One setting, below it the other, and their field."""
    field = [f"{of.field.model}, {of.field.dataset}"] if several else []
    return [of.first.name, f"{MINUS} {of.second.name}", *field]


def scores(field: Field) -> Plot:
    """A dot a run, a bar at their mean: balanced accuracy on the test split."""
    settings = field.settings[:MOST]
    dots, means = [], []
    for place, setting in enumerate(settings):
        reached = [100 * value for value in _balanced(setting)]
        dots += [(value, place, f"{escape(setting.name)}: {value:.1f} %") for value in reached]
        means += [(mean(reached), place, f"mean: {mean(reached):.1f} %")] if reached else []
    common = {"type": "scatter", "mode": "markers", "hovertemplate": "%{text}<extra></extra>"}
    bar = {"symbol": "line-ns", "size": 16, "line": {"width": 3, "color": "var(--text)"}}
    data = [
        {**common, "name": "a run", "marker": {"color": "var(--accent)", "size": 8, "opacity": 0.55}, **_xy(dots)},
        {**common, "name": "their mean", "marker": bar, **_xy(means)},
    ]
    rows = [of.name.split(", ", 1) for of in settings]
    title = f"Balanced accuracy of each run: {field.name}"
    return Plot.of_rows(title, "balanced accuracy on the test split, %", data, rows)


def _balanced(setting: Setting) -> list[float]:
    found = [(run.summary["test"] or {}).get("balanced_accuracy") for run in setting.runs]
    return [value for value in found if value is not None]


def _xy(dots: Sequence[tuple[float, int, str]]) -> dict[str, Any]:
    return {"x": _rounded([x for x, _, _ in dots]), "y": [y for _, y, _ in dots], "text": [of for _, _, of in dots]}


def curves(of: dict[str, Curve]) -> Plot:
    """Accuracy on val and the loss of training, by epoch, of each phase."""
    data = []
    for (phase, curve), dash in zip(of.items(), DASHES, strict=False):
        words = {"attention": "phase 1", "predictor": "predictor"}[phase]
        for name, values, colour, axis in (
            ("accuracy on val", [_percent(value) for value in curve.accuracy], "var(--accent)", "y"),
            ("loss of training", curve.loss, "var(--muted)", "y2"),
        ):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers" if len(curve.epochs) < 30 else "lines",
                    "name": f"{words}, {name}",
                    "x": curve.epochs,
                    "y": _rounded(values),
                    "yaxis": axis,
                    "line": {"color": colour, "dash": dash, "width": 2},
                    "marker": {"size": 5},
                }
            )
    longest = max(len(one.epochs) for one in of.values())
    layout = {
        "xaxis": {"title": {"text": "epoch"}, "dtick": 1 if longest < 12 else None},
        "yaxis": {"title": {"text": "accuracy on val, %"}, "rangemode": "tozero"},
        "yaxis2": {"title": {"text": "loss"}, "rangemode": "tozero", **RIGHT},
        "legend": ABOVE,
    }
    return Plot("Accuracy on val and loss of training, epoch by epoch", data, layout, 340)


def clusters(history: Sequence[dict[str, Any]]) -> Plot | None:
    """The share of pixels of each cluster at each re-clustering, and how near they are to what position alone gives."""
    if len(history) < 2:
        return None
    x = [entry["epoch"] + 1 for entry in history]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": f"cluster {k + 1}",
            "x": x,
            "y": _rounded([100 * entry["areas"][k] for entry in history]),
            "line": {"color": CLUSTER_COLOURS[k % len(CLUSTER_COLOURS)], "width": 2},
        }
        for k in range(len(history[0]["areas"]))
    ]
    near = [entry["near"] for entry in history]
    if any(value is not None for value in near):
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "agreement with clusters by position alone (right)",
                "x": x,
                "y": _rounded(near),
                "yaxis": "y2",
                "line": {"color": "var(--muted)", "dash": "dot", "width": 2},
            }
        )
    layout = {
        "xaxis": {"title": {"text": "epoch"}, "dtick": 1 if len(x) < 12 else None},
        "yaxis": {"title": {"text": "share of the pixels, %"}, "rangemode": "tozero"},
        "yaxis2": {"title": {"text": "adjusted Rand index"}, "range": [0, 1.05], **RIGHT},
        "legend": ABOVE,
    }
    return Plot("Clusters over epochs", data, layout, 340)


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None or value != value else float(f"{value:.4g}") for value in values]


def _length(value: float) -> float:
    """Of half an interval; none where there is no interval."""
    return 0.0 if value != value else float(f"{value:.4g}")
