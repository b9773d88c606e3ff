"""The table that an experiment is for, from its runs' predictions: Markdown, and a figure where it helps."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fer_perturb.analysis.accuracy_change import Change, Recognised, change, judged
from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.data.occlusion.occluder import Occluder
from fer_perturb.errors import UserError, first_line
from fer_perturb.files import write_text
from fer_perturb.report.change_figure import change_figure
from fer_perturb.report.figures import save_figure
from fer_perturb.report.settings import Run, settings
from fer_perturb.report.sweep_tables import grid, table2
from fer_perturb.runs.run_directory import read_settings

INTERVALS = (
    "In brackets 95 % intervals by a bootstrap over the test images{paired}. They do not cover what other seeds would "
    "change."
)

# the paper's Table 1 as printed, five networks, lowest and highest change in per cent (docs/paper.md)
PAPER = {
    "angry": (-39, -20),
    "happy": (-63, -35),
    "sad": (-24, -4),
    "neutral": (-60, -43),
    "surprise": (-35, -19),
    "disgust": (-59, -39),
    "fear": (-23, -13),
}


Tabled = Callable[[Sequence[Run]], tuple[list[str], Figure | None]]
"""Runs that may stand in one table -> the lines of a Markdown page, and a figure."""


def table_of(name: str) -> Tabled:
    """The table of that name: one of TABLES, or anybody's `module.function` of the same kind. Raises UserError."""
    if name in TABLES:
        return TABLES[name]
    module, _, function = name.rpartition(".")
    try:
        found: Tabled | None = getattr(import_module(module), function) if module else None
    except (ImportError, AttributeError) as error:
        raise UserError(f"table={name} cannot be had: {first_line(error)} Expected module.function.") from error
    if found is None:
        raise UserError(f"table={name}: expected null, one of {', '.join(TABLES)}, or module.function.")
    return found


def write_tables(name: str, runs: Sequence[Run], outputs: Path) -> list[Path]:
    """Writes the table `name` of the runs into `outputs`/tables, one for each of their `settings`; where they lie.

    A table is named after its data, model and recipe and the hash of the runs that it is made of, so that other runs do
    not take its place. Of a setting whose runs do not make a table none is written.
    """
    written = []
    for of in settings(runs, networks=name in OF_NETWORKS):
        lines, figure = table_of(name)(of)
        if not lines:
            continue
        recipe = read_settings(of[0][0])["recipe"]
        names = sorted("/".join(run.parts[-4:]) for run, _ in of)
        made_of = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
        models = _each(of, "model")
        model = models[0] if len(models) == 1 else f"{len(models)}networks"
        title = f"{of[0][1]['dataset'].partition('+')[0]}-{model}-{recipe['name']}-{made_of}"
        path = outputs / "tables" / f"{name.rpartition('.')[2]}-{title}.md"
        lines += ([""] if lines[-1] else []) + [
            f"Runs, in {recipe.get('precision', '?')}: {', '.join(f'`{run}`' for run in names)}."
        ]
        if figure:
            save_figure(figure, path.with_suffix(".png"))
            lines += ["", f"![{name}]({path.stem}.png)"]
        write_text(path, "\n".join(lines) + "\n")
        written.append(path)
    return written


def table1(runs: Sequence[Run]) -> tuple[list[str], Figure | None]:
    """Relative change of each emotion's accuracy, for each pair of training and testing that the paper could mean."""
    lines: list[str] = []
    blocks: dict[str, dict[str, list[Change]]] = {}
    emotions: list[str] = []
    for scheme in _each(runs, "scheme"):
        of = [run for run in runs if run[1]["scheme"] == scheme]
        trained = {data: _of(of, data) for data in ("fer2013", "maskfer")}
        if not all(trained.values()):
            continue
        cell = {(data, on): _judged(trained[data], on) for data in trained for on in trained}
        own = cell["fer2013", "fer2013"]
        columns = {
            "trained and tested on MaskFer": change_of(own, cell["maskfer", "maskfer"], of),
            "trained on FER2013, tested on MaskFer": change_of(own, cell["fer2013", "maskfer"], of),
            "trained on MaskFer, tested on FER2013": change_of(own, cell["maskfer", "fer2013"], of),
        }
        lines += [f"Change of the accuracy under `{scheme}`, against trained and tested on FER2013{_seeds(of)}:", ""]
        lines += ["| | FER2013, % | " + " | ".join(columns) + " | the paper's Table 1 |", "|---|---|---|---|---|---|"]
        first = next(iter(columns.values()))
        for row in first:
            paper = "{:+d} to {:+d} %".format(*PAPER[row]) if row in PAPER else ""
            cells = " | ".join(_shown(changes[row]) for changes in columns.values())
            lines.append(f"| {row} | {_share(first[row].before)} | {cells} | {paper} |")
        if set(PAPER) <= set(first):
            agreeing = [
                f"{title}: {sum(_same_sign(changes[name], paper) for name, paper in PAPER.items())} of {len(PAPER)}"
                for title, changes in columns.items()
            ]
            lines += ["", f"Emotions whose change has the sign of most of the paper's networks: {'; '.join(agreeing)}."]
        lines += ["", _intervals(columns), ""]
        named = {f"trained on {data}, tested on {on}": of for (data, on), of in cell.items()}
        lines += _answers(named, list(first)[1:])
        emotions = list(first)
        blocks[scheme] = {title: list(changes.values()) for title, changes in columns.items()}
    return lines, change_figure(blocks, emotions) if blocks else None


def _same_sign(found: Change, paper: tuple[int, int]) -> bool:
    return found.relative * sum(paper) > 0


def feature_removal(runs: Sequence[Run]) -> tuple[list[str], Figure | None]:
    """A row a feature, a column an emotion: hidden in testing only, in training and testing, and in training only."""
    lines: list[str] = []
    blocks: dict[str, dict[str, list[Change]]] = {}
    emotions: list[str] = []
    for scheme in _each(runs, "scheme"):
        of_scheme = [run for run in runs if run[1]["scheme"] == scheme]
        base = of_scheme[0][1]["dataset"].partition("+")[0]
        whole = _of(of_scheme, base)
        if not whole:
            continue
        own = _judged(whole, base)
        tested = [name for name in whole[0][1]["test_on"] if name != base]
        trained = [name for name in _each(of_scheme, "dataset") if name != base]
        parts = {
            "Hidden in testing only": [(name, whole, name) for name in tested],
            "Hidden in training and in testing": [(name, _of(of_scheme, name), name) for name in trained],
            "Hidden in training, whole in testing": [(name, _of(of_scheme, name), base) for name in trained],
        }
        emotions = ["all", *whole[0][1]["test"]["per_class"]]
        accuracy = change_of(own, own, whole)
        for title, rows in parts.items():
            if not rows:
                continue
            lines += [f"{title}, `{scheme}`: change of the accuracy, against whole faces in both{_seeds(whole)}", ""]
            lines += [f"| | {' | '.join(emotions)} |", "|---" * (len(emotions) + 1) + "|"]
            shares = " | ".join(_share(accuracy[row].before) for row in emotions)
            lines.append(f"| whole faces, % | {shares} |")
            block = blocks[f"{title}, {scheme}"] = {}
            answers, every = {"whole faces": own}, {}
            for name, of, on in rows:
                found = _judged(of, on)
                changes = change_of(own, found, whole)
                feature = name.removeprefix(f"{base}+").removesuffix("@1")
                every[feature] = changes
                block[feature] = list(changes.values())
                answers[feature] = found
                lines.append(f"| {feature} | " + " | ".join(_shown(changes[row]) for row in emotions) + " |")
            lines += ["", _intervals(every), "", *_answers(answers, emotions[1:])]
    return lines, change_figure(blocks, emotions) if blocks else None


def occlusion_curve(runs: Sequence[Run]) -> tuple[list[str], Figure | None]:
    """Accuracy against coverage, a line for each training data, scheme and feature."""
    points: dict[tuple[str, str, str], dict[float, float]] = {}
    for base in _each(runs, "dataset"):
        for scheme in _each(_of(runs, base), "scheme"):
            of = [run for run in _of(runs, base) if run[1]["scheme"] == scheme]
            whole = float(_judged(of, base).right.mean())
            for name in of[0][1]["test_on"]:
                occluder = Occluder.from_name(name.partition("+")[2]) if name.startswith(f"{base}+") else None
                if occluder and len(occluder.parts) == 1:
                    (part,) = occluder.parts
                    hidden = part.feature + ("" if part.fill == "mean" else f" by {part.fill}")
                    line = points.setdefault((base, scheme, hidden), {0.0: whole})
                    line[part.coverage] = float(_judged(of, name).right.mean())
    if not points:
        return [], None
    shares = sorted({share for line in points.values() for share in line})
    lines = [
        f"Accuracy on the test split, %, against how much is hidden in testing{_seeds(runs)}:",
        "",
        f"| data | scheme | hidden | {' | '.join(f'{share:g}' for share in shares)} |",
        "|---" * (3 + len(shares)) + "|",
    ]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axis = figure.subplots()
    features = list(dict.fromkeys(feature for _, _, feature in points))
    for (base, scheme, feature), line in points.items():
        cells = " | ".join(f"{100 * line[share]:.1f}" if share in line else "" for share in shares)
        lines.append(f"| {base} | `{scheme}` | {feature} | {cells} |")
        style: Any = {"color": f"C{features.index(feature)}", "marker": "o"}
        style["linestyle"] = ("-", "--", ":", "-.")[_each(runs, "scheme").index(scheme) % 4]
        x = sorted(line)
        axis.plot(x, [100 * line[share] for share in x], label=f"{base}, {scheme}, {feature}", **style)
    axis.set_xlabel("share of the feature that is hidden in testing")
    axis.set_ylabel("accuracy on the test split, %")
    axis.grid(alpha=0.3)
    axis.legend()
    return lines, figure


TABLES = {
    "table1": table1,
    "table2": table2,
    "feature_removal": feature_removal,
    "occlusion_curve": occlusion_curve,
    "grid": grid,
}
OF_NETWORKS = ("table2",)  # which have several networks in one table


def change_of(before: Recognised, after: Recognised, runs: Sequence[Run]) -> dict[str, Change]:
    """The change on all images, and on those of each class."""
    classes = list(runs[0][1]["test"]["per_class"])
    return {"all": change(before, after), **{name: change(before, after, k) for k, name in enumerate(classes)}}


def _judged(runs: Sequence[Run], dataset: str) -> Recognised:
    """The test split of a dataset, judged as each run's scheme judges."""
    found = []
    for directory, summary in runs:
        file = directory / "predictions" / f"{dataset}.parquet"
        read = read_predictions(file, split="test", inference=summary["inference"], tta=summary["tta"])
        assert read is not None
        found.append(read)
    return judged(found)


def _of(runs: Sequence[Run], dataset: str) -> list[Run]:
    return [run for run in runs if run[1]["dataset"] == dataset]


def _answers(rows: Mapping[str, Recognised], emotions: Sequence[str]) -> list[str]:
    """How often each emotion is answered: an emotion that is answered more often is also found more often."""
    of = next(iter(rows.values())).labels
    shares = np.bincount(of, minlength=len(emotions)) / len(of)
    lines = ["How often each emotion is answered, % of all images:", ""]
    lines += [f"| | {' | '.join(emotions)} |", "|---" * (len(emotions) + 1) + "|"]
    answered = {"its share of the images": shares} | {name: row.answered for name, row in rows.items()}
    for name, of_each in answered.items():
        lines.append(f"| {name} | " + " | ".join(f"{100 * share:.0f}" for share in of_each) + " |")
    return [*lines, ""]


def _intervals(columns: Mapping[str, Mapping[str, Change]]) -> str:
    apart = [title for title, changes in columns.items() if not all(change.paired for change in changes.values())]
    but = f" (not of those {'; '.join(apart)}: they are other pictures)" if apart else ""
    return INTERVALS.format(paired=f", which are paired{but}")


def _each(runs: Sequence[Run], key: str) -> list[str]:
    return list(dict.fromkeys(run[1][key] for run in runs))


def _seeds(runs: Sequence[Run]) -> str:
    seeds = sorted({run[1]["seed"] for run in runs})
    return f" ({runs[0][1]['model']}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))})"


def _share(value: float) -> str:
    return "-" if value != value else f"{100 * value:.1f}"


def _shown(found: Change) -> str:
    if found.relative != found.relative:
        return "-"
    return f"{100 * found.relative:+.0f} % [{100 * found.low:+.0f}, {100 * found.high:+.0f}]"
