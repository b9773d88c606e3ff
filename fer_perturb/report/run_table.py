"""Runs beside each other as a table, and in the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_perturb.analysis.metrics import scores
from fer_perturb.analysis.predictions import read_predictions, ways
from fer_perturb.errors import say
from fer_perturb.tables.table import Cell, Column, Table, number, words
from fer_perturb.tables.terminal import print_table

PHASES = ("attention", "clustering", "predictor")


def run_table(summaries: Sequence[dict[str, Any]]) -> Table:
    """A row a run: what it is, what it reached on the test split, and what each phase took.

    FER+ is the accuracy against the plurality of FER+'s votes, where runs have one.

    The precision stands beside the runs where they differ in it, else in the title.
    """
    precisions = [summary.get("precision", "?") for summary in summaries]  # older ones do not say
    mixed = len(set(precisions)) > 1
    data = ", ".join(sorted({f"{summary['dataset']} (tta {summary['tta']})" for summary in summaries}))
    voted = any(summary.get("ferplus") for summary in summaries)
    columns = [Column(name, align="left") for name in ("scheme", "model", "seed", *(["precision"] if mixed else []))]
    columns += [_share("accuracy"), _share("balanced"), Column("F1"), _share("no twins")]
    columns += [_share(name) for name in (*(["FER+"] if voted else []), "image alone", "over views", "attention only")]
    columns += [Column(f"phase {k}", "s", each=True) for k in (1, 2, 3)]
    rows = []
    for summary, precision in zip(summaries, precisions, strict=True):
        phases, test = summary["phases"], summary["test"]
        cells = [words(summary["scheme"]), words(summary["model"]), number(summary["seed"], "d")]
        cells += [words(precision)] if mixed else []
        cells += [_percent(test["accuracy"]), _percent(test["balanced_accuracy"]), number(test["f1_macro"], ".3f")]
        cells += [_percent(test["accuracy_no_twins"])]
        cells += [_percent(((summary.get("ferplus") or {}).get("test") or {}).get("accuracy"))] if voted else []
        cells += [_percent((summary[split] or {}).get("accuracy")) for split in ("test_original", "test_views")]
        cells += [_percent(phases["attention"] and phases["attention"]["test"]["accuracy"])]
        rows.append([*cells, *(_seconds(phases[name]) for name in PHASES)])
    return Table.of(f"Test split, {data}" + ("" if mixed else f", {precisions[0]}"), columns, rows)


def class_table(summary: dict[str, Any]) -> Table:
    """Accuracy, F1 and number of images of each class on the test split."""
    classes = summary["test"]["per_class"]
    rows = [
        [words(name), _percent(of["accuracy"]), number(of["f1"], ".3f"), number(of["support"], "d")]
        for name, of in classes.items()
    ]
    columns = [Column("class", align="left"), _share("accuracy"), Column("F1"), Column("images")]
    nobody = [name for name, of in classes.items() if not of["support"]]
    return Table.of(f"{summary['scheme']}, test split, by class", columns, rows, _what_is_missing(nobody))


def prediction_table(files: Sequence[Path]) -> Table:
    """A row for each way of judging that a file of predictions holds: its scores on the test split."""
    columns = [Column(name, align="left") for name in ("predictions", "judged by", "tta")]
    columns += [_share("accuracy"), _share("balanced"), Column("F1")]
    rows = []
    missing: dict[str, list[str]] = {}
    for file in files:
        for inference, tta in ways(file):
            found = read_predictions(file, split="test", inference=inference, tta=tta)
            assert found is not None
            test = scores(found)
            missing[file.stem] = [name for name, of in test["per_class"].items() if not of["support"]]
            cells = [words(file.stem), words("image alone" if inference == "original" else "views"), words(tta)]
            cells += [_percent(test["accuracy"]), _percent(test["balanced_accuracy"]), number(test["f1_macro"], ".3f")]
            rows.append(cells)
    notes = dict.fromkeys(_what_is_missing(names) for names in missing.values())
    return Table.of("Test split", columns, rows, " ".join(note for note in notes if note))


def print_runs(summaries: Sequence[dict[str, Any]], directories: Sequence[Path]) -> None:
    """The table of runs, and where each lies."""
    print_table(run_table(summaries))
    for directory in directories:
        say(f"All of {directory.parent.name}: {directory}")
        picture = directory / "predictor" / "pictures" / "scheme.png"
        if picture.is_file():
            say(f"  its input, attention, clusters and views: {picture}")


def print_predictions(files: Sequence[Path]) -> None:
    """The table of predictions, and where they lie."""
    print_table(prediction_table(files))
    for file in files:
        say(f"Predictions: {file}")


def _what_is_missing(classes: Sequence[str]) -> str:
    names = ", ".join(classes)
    return f"No image of {names}: balanced accuracy and F1 are means over the other classes." if classes else ""


def _share(heading: str) -> Column:
    return Column(heading, "%", each=True)


def _percent(share: float | None) -> Cell:
    return number(None if share is None else 100 * share)


def _seconds(phase: dict[str, Any] | None) -> Cell:
    if phase is None:
        return number(None)
    return number(phase["seconds"], ".0f", also="(cached)" if phase["cached"] else "")
