"""Accuracy along what a scheme can be set to: the number of clusters (the paper's Figure 5), and how much is hidden."""

from collections.abc import Iterator, Sequence
from statistics import mean
from typing import Any

from fer_perturb.analysis.statistics import OverSeeds
from fer_perturb.files import canonical
from fer_perturb.paper.values import reported
from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.figures import NAN, SHARES, Line, line_figure
from fer_perturb.report.exhibits.judging import (
    GAIN,
    SEEDS,
    baseline_of,
    by,
    difference,
    gained,
    over_seeds,
    percent,
    scheme_words,
    scores,
    seed_numbers,
    whole_faces,
)
from fer_perturb.report.settings import Run
from fer_perturb.tables.table import Cell, Column, Table, number, words

CLUSTERS = "regions.n_clusters"
HELD, NOT_HELD, OPEN = "held", "not held", "not decidable"


def figure5(runs: Sequence[Run]) -> Exhibit | None:
    """Accuracy against the number of clusters, all else equal, with intervals over seeds."""
    tables, lines, claims = list[Table](), list[Line](), list[list[Cell]]()
    for name, of in _along(whole_faces(runs), CLUSTERS):
        best = int(reported("figure5").printed["best"]["clusters"] or 0)
        rows = []
        for n, same in sorted(of.items()):
            gain = over_seeds(of[best], same, "balanced_accuracy") if best in of and n != best else None
            rows.append([number(n, "d"), words(seed_numbers(same)), _mean(same), difference(gain)])
        columns = [Column("clusters"), Column("seeds", align="left"), Column("balanced accuracy", "%")]
        columns.append(Column(f"{best} clusters less these", "points"))
        note = "In brackets 95 % intervals over seeds, on these test images; one seed has none."
        tables.append(Table.of(f"Balanced accuracy against the number of clusters: {name}", columns, rows, note))
        lines.append(Line(name, [(n, _interval(same)) for n, same in sorted(of.items())], colour=len(lines)))
        claims.append([words(name), *_claim(best, of)])
    if not tables:
        return None
    of_paper = [Column("of", align="left"), Column("found", align="left"), Column("verdict", align="left")]
    title = f"{reported('figure5').source}: {reported('figure5').says}"
    figure = line_figure(lines, "number of clusters", "balanced accuracy on the test split, %", within=SHARES)
    return Exhibit("Accuracy against the number of clusters", [*tables, Table.of(title, of_paper, claims)], figure)


def _claim(best: int, of: dict[Any, list[Run]]) -> tuple[Cell, Cell]:
    """Whether the paper's number is better than all others: decided where intervals over seeds leave out 0."""
    means = {n: mean(scores(same, "test", "balanced_accuracy")) for n, same in of.items()}
    top = max(means, key=lambda n: means[n])
    found = words(f"{top} is highest, of {', '.join(map(str, sorted(of)))}")
    if best not in of:
        return found, words(OPEN)
    others = [over_seeds(of[best], same, "balanced_accuracy") for n, same in of.items() if n != best]
    bounds = [(NAN, NAN) if one is None else one.interval() for one in others]
    if any(high < 0 for _, high in bounds):
        return found, words(NOT_HELD)
    return found, words(HELD if all(low > 0 for low, _ in bounds) else OPEN)


def hidden_share(runs: Sequence[Run]) -> Exhibit | None:
    """How much of an image training hides on average, and what that costs: a row a setting that hides something."""
    tables, lines = list[Table](), list[Line]()
    for model, of_model in by(whole_faces(runs), "model").items():
        for data, of in by(of_model, "dataset").items():
            base = baseline_of(of)
            settings = [(share, same) for same in by(of, "scheme").values() if (share := _hidden(same)) is not None]
            if len(settings) < 2:
                continue
            settings.sort(key=lambda pair: pair[0])
            rows = [
                [
                    scheme_words(same),
                    words(seed_numbers(same)),
                    number(100 * share),
                    *(_key(same, key) for key in ("regions.top_share", "views.clean_share")),
                    _mean(same),
                    difference(gained(same, base) if base else None),
                ]
                for share, same in settings
            ]
            columns = [Column("scheme", align="left"), Column("seeds", align="left"), Column("hidden", "%")]
            columns += [Column("top share"), Column("clean share"), Column("balanced accuracy", "%")]
            columns.append(Column("less the baseline", "points"))
            note = (
                "`hidden`: the mean share of an image's pixels that a view of training hides, whole images included. "
                f"`top share`: what may be hidden at most; `clean share`: of whole images. {SEEDS} {GAIN}"
            )
            tables.append(Table.of(f"How much is hidden: {model}, {data}", columns, rows, note))
            points = [(0.0, _interval(base))] if base else []
            points += [(100 * share, _interval(same)) for share, same in settings]
            lines.append(Line(f"{model}, {data}", points, colour=len(lines), joined=False))
    if not tables:
        return None
    figure = line_figure(lines, "mean share of pixels hidden in training, %", "balanced accuracy, %", within=SHARES)
    return Exhibit("Accuracy against how much is hidden in training", tables, figure)


def _along(runs: Sequence[Run], key: str) -> Iterator[tuple[str, dict[Any, list[Run]]]]:
    """Settings that differ in that key of the scheme and in nothing else: what they share, and value -> runs."""
    found: dict[str, dict[Any, list[Run]]] = {}
    names: dict[str, str] = {}
    for run in runs:
        chosen: dict[str, Any] = run[1]["chosen"]
        if key not in chosen:
            continue
        rest = {name: value for name, value in chosen.items() if name != key}
        same = canonical({"model": run[1]["model"], "data": run[1]["dataset"], **rest})
        found.setdefault(same, {}).setdefault(chosen[key], []).append(run)
        parts = [part for part in run[1]["scheme"].split(", ") if not part.startswith(f"{key}=")]
        names[same] = f"{run[1]['model']}, {run[1]['dataset']}, {', '.join(parts)}"
    for same, of in found.items():
        if len(of) > 1:
            yield names[same], of


def _hidden(runs: Sequence[Run]) -> float | None:
    """The mean share of pixels that a view of training hides; None where the regions' areas are not known."""
    chosen: dict[str, Any] = runs[0][1]["chosen"]
    clusterings = [summary["phases"].get("clustering") or {} for _, summary in runs]
    areas = [mean(of["areas"]) for of in clusterings if of.get("areas")]
    if len(areas) < len(clusterings):
        return None
    if chosen.get("control") == "Nothing":
        return 0.0
    n = len(clusterings[0]["areas"])
    clean = chosen.get("views.clean_share")
    return float(mean(areas) * (1 - (1 / (n + 1) if clean is None else float(clean))))


def _key(runs: Sequence[Run], key: str) -> Cell:
    value = runs[0][1]["chosen"].get(key)
    return number(value, "g") if isinstance(value, int | float) else number(None)


def _mean(runs: Sequence[Run]) -> Cell:
    return percent(scores(runs, "test", "balanced_accuracy"))


def _interval(runs: Sequence[Run]) -> tuple[float, float, float]:
    """The mean over seeds in per cent, and its 95 % interval."""
    of = OverSeeds.of(scores(runs, "test", "balanced_accuracy"))
    low, high = of.interval()
    return 100 * of.mean, 100 * low, 100 * high
