"""What hidden features cost: each one wholly hidden, and more and more of one."""

from collections.abc import Sequence

import numpy as np

from fer_perturb.analysis.accuracy_change import Change, Recognised
from fer_perturb.analysis.statistics import OverSeeds
from fer_perturb.data.occlusion.occluder import Occluder
from fer_perturb.report.exhibits.answering import answers, intervals
from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.figures import SHARES, Line, change_figure, line_figure
from fer_perturb.report.exhibits.judging import (
    SEEDS,
    by,
    changes,
    each,
    of_dataset,
    relative,
    seed_numbers,
    seeds,
    tested,
)
from fer_perturb.report.settings import Run
from fer_perturb.tables.table import Cell, Column, Table, number, words

Key = tuple[str, str, str, str]  # network, training data, scheme, feature
Rows = list[tuple[str, list[Run], str]]  # what is hidden, the runs, what they are tested on


def feature_removal(runs: Sequence[Run]) -> Exhibit | None:
    """A row a feature, a column an emotion: hidden in testing only, in training and testing, and in training only."""
    tables = list[Table]()
    blocks: dict[str, dict[str, list[Change]]] = {}
    emotions: list[str] = []
    for scheme in each(runs, "scheme"):
        of_scheme = [run for run in runs if run[1]["scheme"] == scheme]
        base = of_scheme[0][1]["dataset"].partition("+")[0]
        whole = _with_most_tests(of_dataset(of_scheme, base), base)
        if not whole:
            continue
        trained = [name for name in each(of_scheme, "dataset") if _wholly(name, base)]
        parts: dict[str, Rows] = {
            "Hidden in testing only": [(name, whole, name) for name in whole[0][1]["test_on"] if _wholly(name, base)],
            "Hidden in training and in testing": [(name, of_dataset(of_scheme, name), name) for name in trained],
            "Hidden in training, whole in testing": [(name, of_dataset(of_scheme, name), base) for name in trained],
        }
        emotions = ["all", *whole[0][1]["test"]["per_class"]]
        own = tested(whole, base) if any(parts.values()) else None
        for title, rows in parts.items():
            if rows and own:
                found = {name.removeprefix(f"{base}+").removesuffix("@1"): tested(of, on) for name, of, on in rows}
                every = {feature: changes(own, of, whole) for feature, of in found.items()}
                tables.append(_changes(f"{title}, `{scheme}`", own, every, whole))
                rest = f"{title.replace('Hidden', 'hidden')}, `{scheme}`"
                tables.append(answers(rest, {"whole faces": own, **found}, emotions[1:]))
                blocks[f"{title}, {scheme}"] = {feature: list(of.values()) for feature, of in every.items()}
    if not tables:
        return None
    return Exhibit("What each emotion loses with a feature", tables, change_figure(blocks, emotions))


def _with_most_tests(runs: Sequence[Run], base: str) -> list[Run]:
    """Those that were tested on as many ways of hiding features wholly as any: the same ones for all of them."""
    tests = [tuple(name for name in run[1]["test_on"] if _wholly(name, base)) for run in runs]
    most = max(tests, key=len, default=())
    return [run for run, of in zip(runs, tests, strict=True) if set(of) == set(most)]


def _wholly(name: str, base: str) -> bool:
    """Whether those are the same faces with features hidden wholly."""
    occluder = Occluder.from_name(name.partition("+")[2]) if name.startswith(f"{base}+") else None
    return occluder is not None and all(part.coverage == 1 for part in occluder.parts)


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
    """Accuracy against coverage and the area under it, a line for each network, training data, scheme and feature."""
    found: dict[Key, dict[float, OverSeeds]] = {}
    for of in (same for model in by(runs, "model").values() for same in by(model, "scheme").values()):
        for base, trained in by(of, "dataset").items():
            scheme, model = trained[0][1]["scheme"], trained[0][1]["model"]
            for feature, coverages in _tested_on(trained, base).items():
                line = {share: _over_seeds(trained, on) for share, on in {0.0: base, **coverages}.items()}
                known = {share: value for share, value in line.items() if value}
                if len(known) > 1 and set(known) != {0.0, 1.0}:  # all or nothing is what feature_removal shows
                    found[model, base, scheme, feature] = known
    if not found:
        return None
    shares = sorted({share for line in found.values() for share in line})
    rows = [
        [*_key_words(key), *(_at(line, share) for share in shares), number(100 * _area(line))]
        for key, line in found.items()
    ]
    left = [Column(name, align="left") for name in ("network", "data", "scheme", "hidden")]
    table = Table.of(
        f"Accuracy on the test split, %, against how much is hidden in testing (seeds {seed_numbers(runs)})",
        [*left, *(Column(f"{share:g}") for share in shares), Column("area")],
        rows,
        f"{SEEDS} `area`: under the curve (trapezoids), over the range of what was hidden: the mean accuracy.",
    )
    features, arms = (list(dict.fromkeys(names)) for names in zip(*((k[3], k[:3]) for k in found), strict=True))
    lines = [
        Line(
            ", ".join(key), [(x, _percent(line[x])) for x in sorted(line)], features.index(key[3]), arms.index(key[:3])
        )
        for key, line in found.items()
    ]
    figure = line_figure(
        lines, "share of the feature that is hidden in testing", "accuracy on the test split, %", within=SHARES
    )
    return Exhibit("Accuracy against how much is hidden in testing", [table], figure)


def _tested_on(runs: Sequence[Run], base: str) -> dict[str, dict[float, str]]:
    """Feature, and what fills it -> coverage -> the name of the predictions; where one feature alone is hidden."""
    found: dict[str, dict[float, str]] = {}
    for name in dict.fromkeys(name for run in runs for name in run[1]["test_on"]):
        occluder = Occluder.from_name(name.partition("+")[2]) if name.startswith(f"{base}+") else None
        if occluder and len(occluder.parts) == 1:
            (part,) = occluder.parts
            hidden = part.feature + ("" if part.fill == "mean" else f" by {part.fill}")
            found.setdefault(hidden, {})[part.coverage] = name
    return found


def _over_seeds(runs: Sequence[Run], on: str) -> OverSeeds | None:
    """The accuracy on a dataset."""
    accuracies = {
        summary["seed"]: scores["accuracy"]
        for _, summary in runs
        if (scores := summary["test"] if on == summary["dataset"] else summary["test_on"].get(on))
    }
    return OverSeeds.of(list(accuracies.values())) if accuracies else None


def _key_words(key: Key) -> list[Cell]:
    model, base, scheme, feature = key
    return [words(model), words(base), words(f"`{scheme}`"), words(feature)]


def _at(line: dict[float, OverSeeds], share: float) -> Cell:
    return number(100 * line[share].mean, spread=100 * line[share].deviation) if share in line else words("")


def _area(line: dict[float, OverSeeds]) -> float:
    x = sorted(line)
    return float(np.trapezoid([line[share].mean for share in x], x)) / (x[-1] - x[0])


def _percent(of: OverSeeds) -> tuple[float, float, float]:
    low, high = of.interval()
    return 100 * of.mean, 100 * low, 100 * high
