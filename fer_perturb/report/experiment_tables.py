"""The table that an experiment is for, from its runs' predictions: Markdown, and a figure where it helps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from omegaconf import OmegaConf

from fer_perturb.analysis.changes import Change, Judged, change, judged
from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.data.occluders import Occluder
from fer_perturb.errors import UserError
from fer_perturb.files import write_text
from fer_perturb.report.figures import save_figure

Run = tuple[Path, dict[str, Any]]  # a run's directory and its summary

# the paper's Table 1, five networks, lowest and highest change in per cent; Sad with the signs of its draft
PAPER = {
    "angry": (-39, -20),
    "happy": (-63, -35),
    "sad": (-8, 24),
    "neutral": (-60, -43),
    "surprise": (-35, -19),
    "disgust": (-59, -39),
    "fear": (-23, -13),
}


def check_table(name: str | None) -> None:
    """UserError for a name that is none of TABLES."""
    if name is not None and name not in TABLES:
        raise UserError(f"table={name}: expected null or one of {', '.join(TABLES)}.")


def write_table(runs: Sequence[Run]) -> Path | None:
    """Writes the table that the runs' configs name into tables/ beside them; where it lies, None if they name none."""
    config: Any = OmegaConf.load(runs[0][0] / "config.yaml")
    name = config.get("table")
    if name is None:
        return None
    lines, figure = TABLES[name](runs)
    path = Path(config.paths.outputs, "tables", f"{name}.md")
    if figure:
        save_figure(figure, path.with_suffix(".png"))
        lines += ["", f"![{name}]({name}.png)"]
    write_text(path, "\n".join(lines) + "\n")
    return path


def table1(runs: Sequence[Run]) -> tuple[list[str], Figure | None]:
    """Relative change of each emotion's accuracy, for each pair of training and testing that the paper could mean."""
    lines: list[str] = []
    for scheme in _each(runs, "scheme"):
        of = [run for run in runs if run[1]["scheme"] == scheme]
        trained = {data: [run for run in of if run[1]["dataset"] == data] for data in ("fer2013", "maskfer")}
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
        for row in next(iter(columns.values())):
            paper = "{:+d} to {:+d} %".format(*PAPER[row]) if row in PAPER else ""
            before = next(iter(columns.values()))[row].before
            cells = " | ".join(_shown(changes[row]) for changes in columns.values())
            lines.append(f"| {row} | {100 * before:.1f} | {cells} | {paper} |")
        lines.append("")
    return lines, None


def feature_removal(runs: Sequence[Run]) -> tuple[list[str], Figure | None]:
    """A row a feature, a column an emotion: hidden in testing only, in training and testing, and in training only."""
    lines: list[str] = []
    base = runs[0][1]["dataset"].partition("+")[0]
    whole = [run for run in runs if run[1]["dataset"] == base]
    own = _judged(whole, base)
    hidden = [name for name in runs[0][1]["test_on"] if name != base]
    parts = {
        "Hidden in testing only": [(name, whole, name) for name in hidden],
        "Hidden in training and in testing": [(name, _of(runs, name), name) for name in hidden],
        "Hidden in training, whole in testing": [(name, _of(runs, name), base) for name in hidden],
    }
    for title, rows in parts.items():
        there = [(name, of, on) for name, of, on in rows if of]
        if not there:
            continue
        emotions = ["all", *whole[0][1]["test"]["per_class"]]
        lines += [f"{title}: change of the accuracy, against whole faces in both{_seeds(whole)}", ""]
        lines += [f"| | {' | '.join(emotions)} |", "|---" * (len(emotions) + 1) + "|"]
        accuracy = change_of(own, own, whole)
        lines.append("| whole faces, % | " + " | ".join(f"{100 * accuracy[row].before:.1f}" for row in emotions) + " |")
        for name, of, on in there:
            changes = change_of(own, _judged(of, on), whole)
            feature = name.partition("+")[2].removesuffix("@1")
            lines.append(f"| {feature} | " + " | ".join(_shown(changes[row]) for row in emotions) + " |")
        lines.append("")
    return lines, None


def occlusion_curve(runs: Sequence[Run]) -> tuple[list[str], Figure | None]:
    """Accuracy against coverage, a line a scheme and feature."""
    base = runs[0][1]["dataset"]
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for scheme in _each(runs, "scheme"):
        of = [run for run in runs if run[1]["scheme"] == scheme]
        whole = float(_judged(of, base).right.mean())
        for name in of[0][1]["test_on"]:
            occluder = Occluder.from_name(name.partition("+")[2]) if "+" in name else None
            if occluder:
                line = points.setdefault((scheme, "+".join(occluder.features)), [(0.0, whole)])
                line.append((occluder.coverage, float(_judged(of, name).right.mean())))
    shares = sorted({share for line in points.values() for share, _ in line})
    lines = [
        f"Accuracy on the test split, %, against how much is hidden in testing{_seeds(runs)}:",
        "",
        f"| scheme | hidden | {' | '.join(f'{share:g}' for share in shares)} |",
        "|---" * (2 + len(shares)) + "|",
    ]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axis = figure.subplots()
    for (scheme, feature), line in points.items():
        at = dict(line)
        cells = " | ".join(f"{100 * at[share]:.1f}" if share in at else "" for share in shares)
        lines.append(f"| `{scheme}` | {feature} | {cells} |")
        style: Any = {"linestyle": "-" if scheme == runs[0][1]["scheme"] else "--", "marker": "o"}
        x, y = zip(*[(share, 100 * right) for share, right in sorted(line)], strict=True)
        axis.plot(x, y, label=f"{scheme}, {feature}", **style)
    axis.set_xlabel("share of the feature that is hidden in testing")
    axis.set_ylabel("accuracy on the test split, %")
    axis.grid(alpha=0.3)
    axis.legend()
    return lines, figure


TABLES = {"table1": table1, "feature_removal": feature_removal, "occlusion_curve": occlusion_curve}


def change_of(before: Judged, after: Judged, runs: Sequence[Run]) -> dict[str, Change]:
    """The change on all images, and on those of each class."""
    classes = list(runs[0][1]["test"]["per_class"])
    return {"all": change(before, after), **{name: change(before, after, k) for k, name in enumerate(classes)}}


def _judged(runs: Sequence[Run], dataset: str) -> Judged:
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


def _each(runs: Sequence[Run], key: str) -> list[str]:
    return list(dict.fromkeys(run[1][key] for run in runs))


def _seeds(runs: Sequence[Run]) -> str:
    seeds = sorted({run[1]["seed"] for run in runs})
    return f" ({runs[0][1]['model']}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))})"


def _shown(found: Change) -> str:
    if found.relative != found.relative:
        return "-"
    return f"{100 * found.relative:+.0f} % [{100 * found.low:+.0f}, {100 * found.high:+.0f}]"
