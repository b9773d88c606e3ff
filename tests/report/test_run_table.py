"""What is printed of runs: a class that no image has is "-", and FER+ has a column where runs have it."""

import pytest

from fer_perturb.report.run_table import class_table, print_runs
from fer_perturb.tables.terminal import print_table

PER_CLASS = {
    "calm": {"accuracy": 0.5, "f1": 0.25, "support": 4},
    "tired": {"accuracy": None, "f1": None, "support": 0},
    "bored": {"accuracy": 0.0, "f1": 0.0, "support": 3},
}


def summary(ferplus: object) -> dict:
    scores = {"accuracy": 0.51, "balanced_accuracy": 0.25, "f1_macro": 0.125, "accuracy_no_twins": None}
    return {
        "dataset": "faces", "model": "tiny", "scheme": "baseline", "seed": 0, "precision": "32-true", "tta": "none",
        "phases": {"attention": None, "clustering": None, "predictor": None}, "ferplus": ferplus,
        "test": {**scores, "per_class": PER_CLASS}, "test_original": scores, "test_views": None,
    }  # fmt: skip


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│┃ ").replace("┃", "│").split("│")]


def test_a_class_without_images(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(class_table(summary(None)))
    lines = capsys.readouterr().out.splitlines()
    table = [cells(line) for line in lines if "│" in line]
    assert table == [["calm", "50.0 %", "0.250", "4"], ["tired", "-", "-", "0"], ["bored", "0.0 %", "0.000", "3"]]
    assert lines[-1] == "No image of tired: balanced accuracy and F1 are means over the other classes."


def test_ferplus_has_a_column_where_runs_have_it(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    voted = {"votes": "1", "val": None, "test": {"accuracy": 0.625, "balanced_accuracy": 0.5, "n": 8}}
    directories = [tmp_path / "seed0", tmp_path / "seed1"]
    old = {key: value for key, value in summary(None).items() if key != "ferplus"}
    print_runs([summary(voted), old], directories)
    lines = capsys.readouterr().out.splitlines()
    (column,) = {cells(line).index("FER+") for line in lines if line[:1] == "┃" and "FER+" in line}
    assert [cells(line)[column] for line in lines if line[:1] == "│"] == ["62.5 %", "-"]
    print_runs([summary(None), old], directories)
    assert "FER+" not in capsys.readouterr().out
