"""What hidden features cost: each one wholly hidden, and more and more of one."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from fer_perturb.analysis.accuracy_change import Change, Recognised
from fer_perturb.data.occlusion.occluder import Occluder
from fer_perturb.report.exhibits.change_figure import change_figure
from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.judging import answers, changes, each, intervals, of_dataset, relative, seeds, tested
from fer_perturb.report.settings import Run
from fer_perturb.tables.table import Column, Table, number, words

Rows = list[tuple[str, list[Run], str]]  # what is hidden, the runs, what they are tested on


def feature_removal(runs: Sequence[Run]) -> Exhibit | None:
    """A row a feature, a column an emotion: hidden in testing only, in training and testing, and in training only."""
    tables = list[Table]()
    blocks: dict[str, dict[str, list[Change]]] = {}
    emotions: list[str] = []
    for scheme in each(runs, "scheme"):
        of_scheme = [run for run in runs if run[1]["scheme"] == scheme]
        base = of_scheme[0][1]["dataset"].partition("+")[0]
        whole = of_dataset(of_scheme, base)
        if not whole:
            continue
        trained = [name for name in each(of_scheme, "dataset") if name != base]
        parts: dict[str, Rows] = {
            "Hidden in testing only": [(name, whole, name) for name in whole[0][1]["test_on"] if name != base],
            "Hidden in training and in testing": [(name, of_dataset(of_scheme, name), name) for name in trained],
            "Hidden in training, whole in testing": [(name, of_dataset(of_scheme, name), base) for name in trained],
        }
        emotions = ["all", *whole[0][1]["test"]["per_class"]]
        own = tested(whole, base)
        for title, rows in parts.items():
            if rows:
                found = {name.removeprefix(f"{base}+").removesuffix("@1"): tested(of, on) for name, of, on in rows}
                every = {feature: changes(own, of, whole) for feature, of in found.items()}
                tables.append(_changes(f"{title}, `{scheme}`", own, every, whole))
                rest = f"{title.replace('Hidden', 'hidden')}, `{scheme}`"
                tables.append(answers(rest, {"whole faces": own, **found}, emotions[1:]))
                blocks[f"{title}, {scheme}"] = {feature: list(of.values()) for feature, of in every.items()}
    if not tables:
        return None
    return Exhibit("What each emotion loses with a feature", tables, change_figure(blocks, emotions))


def _changes(title: str, own: Recognised, every: dict[str, dict[str, Change]], whole: Sequence[Run]) -> Table:
    accuracy = changes(own, own, whole)
    rows = [[words("whole faces"), *(number(100 * of.before) for of in accuracy.values())]]
    rows += [[words(feature), *map(relative, of.values())] for feature, of in every.items()]
    columns = [Column("", align="left"), *(Column(emotion, "%", each=True) for emotion in accuracy)]
    return Table.of(
        f"{title}: change of the accuracy, against whole faces in both{seeds(whole)}",
        columns,
        rows,
        intervals(every),
    )


def occlusion_curve(runs: Sequence[Run]) -> Exhibit | None:
    """Accuracy against coverage, a line for each training data, scheme and feature."""
    points: dict[tuple[str, str, str], dict[float, float]] = {}
    for base in each(runs, "dataset"):
        for scheme in each(of_dataset(runs, base), "scheme"):
            of = [run for run in of_dataset(runs, base) if run[1]["scheme"] == scheme]
            whole = float(tested(of, base).right.mean())
            for name in of[0][1]["test_on"]:
                occluder = Occluder.from_name(name.partition("+")[2]) if name.startswith(f"{base}+") else None
                if occluder and len(occluder.parts) == 1:
                    (part,) = occluder.parts
                    hidden = part.feature + ("" if part.fill == "mean" else f" by {part.fill}")
                    line = points.setdefault((base, scheme, hidden), {0.0: whole})
                    line[part.coverage] = float(tested(of, name).right.mean())
    if not points:
        return None
    shares = sorted({share for line in points.values() for share in line})
    rows = [
        [words(base), words(f"`{scheme}`"), words(feature), *(_at(line, share) for share in shares)]
        for (base, scheme, feature), line in points.items()
    ]
    table = Table.of(
        f"Accuracy on the test split, %, against how much is hidden in testing{seeds(runs)}",
        [*(Column(name, align="left") for name in ("data", "scheme", "hidden")), *(Column(f"{of:g}") for of in shares)],
        rows,
    )
    return Exhibit("Accuracy against how much is hidden", [table], _curves(points, each(runs, "scheme")))


def _at(line: dict[float, float], share: float) -> Any:
    return number(100 * line[share]) if share in line else words("")


def _curves(points: dict[tuple[str, str, str], dict[float, float]], schemes: Sequence[str]) -> Figure:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axis = figure.subplots()
    features = list(dict.fromkeys(feature for _, _, feature in points))
    for (base, scheme, feature), line in points.items():
        style: Any = {"color": f"C{features.index(feature)}", "marker": "o"}
        style["linestyle"] = ("-", "--", ":", "-.")[schemes.index(scheme) % 4]
        x = sorted(line)
        axis.plot(x, [100 * line[share] for share in x], label=f"{base}, {scheme}, {feature}", **style)
    axis.set_xlabel("share of the feature that is hidden in testing")
    axis.set_ylabel("accuracy on the test split, %")
    axis.grid(alpha=0.3)
    axis.legend()
    return figure
