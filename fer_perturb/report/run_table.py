"""Runs beside each other as a table in the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fer_perturb.analysis.metrics import scores
from fer_perturb.analysis.predictions import read_predictions, ways


def print_runs(summaries: Sequence[dict[str, Any]], directories: Sequence[Path]) -> None:
    """A row a run: what it is, what it reached on the test split, and what each phase took.

    FER+ is the accuracy against the plurality of FER+'s votes, where runs have one.

    The precision stands beside the runs where they differ in it, else in the title.
    """
    precisions = [summary.get("precision", "?") for summary in summaries]  # older ones do not say
    mixed = len(set(precisions)) > 1
    title = f"Test split, {_title(summaries)}"
    table = Table(title=title if mixed else f"{title}, {precisions[0]}")
    for heading in ("scheme", "model", "seed", *(["precision"] if mixed else [])):
        table.add_column(heading, style="bold" if heading == "scheme" else "", no_wrap=heading == "precision")
    voted = any(summary.get("ferplus") for summary in summaries)
    headings = ("accuracy", "balanced", "F1", "no twins", *(["FER+"] if voted else []), "image alone", "over views")
    for heading in (*headings, "attention only", "phase 1", "phase 2", "phase 3"):
        table.add_column(heading, justify="right")
    for summary, precision in zip(summaries, precisions, strict=True):
        phases, test = summary["phases"], summary["test"]
        table.add_row(
            summary["scheme"],
            summary["model"],
            str(summary["seed"]),
            *([precision] if mixed else []),
            _percent(test["accuracy"]),
            _percent(test["balanced_accuracy"]),
            f"{test['f1_macro']:.3f}",
            _percent(test["accuracy_no_twins"]),
            *([_percent(((summary.get("ferplus") or {}).get("test") or {}).get("accuracy"))] if voted else []),
            _percent((summary["test_original"] or {}).get("accuracy")),
            _percent((summary["test_views"] or {}).get("accuracy")),
            _percent(phases["attention"] and phases["attention"]["test"]["accuracy"]),
            *(_seconds(phases[name]) for name in ("attention", "clustering", "predictor")),
        )
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table)
    for directory in directories:
        console.print(f"All of {directory.parent.name}: {directory}", soft_wrap=True, highlight=False)
        picture = directory / "predictor" / "pictures" / "scheme.png"
        if picture.is_file():
            console.print(f"  its input, attention, clusters and views: {picture}", soft_wrap=True, highlight=False)


def print_predictions(files: Sequence[Path]) -> None:
    """A row for each way of judging that a file of predictions holds: its scores on the test split."""
    table = Table(title="Test split")
    missing: dict[str, list[str]] = {}
    for heading in ("predictions", "judged by", "tta"):
        table.add_column(heading)
    for heading in ("accuracy", "balanced", "F1"):
        table.add_column(heading, justify="right")
    for file in files:
        for inference, tta in ways(file):
            found = read_predictions(file, split="test", inference=inference, tta=tta)
            assert found is not None
            test = scores(found)
            missing[file.stem] = [name for name, of in test["per_class"].items() if not of["support"]]
            shown = (_percent(test["accuracy"]), _percent(test["balanced_accuracy"]), f"{test['f1_macro']:.3f}")
            table.add_row(file.stem, "image alone" if inference == "original" else "views", tta, *shown)
    console = Console(width=None if Console().is_terminal else 150)
    console.print(table)
    for names in {tuple(names) for names in missing.values()}:
        _say_what_is_missing(console, names)
    for file in files:
        console.print(f"Predictions: {file}", soft_wrap=True, highlight=False)


def print_classes(summary: dict[str, Any]) -> None:
    """Accuracy and F1 of each class on the test split."""
    table = Table(title=f"{summary['scheme']}, test split, by class")
    table.add_column("")
    for name in summary["test"]["per_class"]:
        table.add_column(name, justify="right")
    of = summary["test"]["per_class"]
    for key, show in (("accuracy", _percent), ("f1", _decimals), ("support", str)):
        table.add_row(key, *(show(values[key]) for values in of.values()))
    console = Console(width=None if Console().is_terminal else 150)
    console.print(table)
    _say_what_is_missing(console, [name for name, values in of.items() if not values["support"]])


def _say_what_is_missing(console: Console, classes: Sequence[str]) -> None:
    if classes:
        console.print(
            f"No image of {', '.join(classes)}: balanced accuracy and F1 are means over the other classes.",
            soft_wrap=True,
            highlight=False,
        )


def _title(summaries: Sequence[dict[str, Any]]) -> str:
    return ", ".join(sorted({f"{summary['dataset']} (tta {summary['tta']})" for summary in summaries}))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _decimals(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _seconds(phase: dict[str, Any] | None) -> str:
    return "-" if phase is None else f"{phase['seconds']:.0f} s" + (" (cached)" if phase["cached"] else "")
