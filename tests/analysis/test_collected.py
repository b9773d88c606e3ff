"""All runs as one table."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commanding import Commands
from composing import small
from generated_runs import generated_runs

from fer_perturb.analysis import collect
from fer_perturb.analysis.conditions import conditions
from fer_perturb.errors import UserError
from fer_perturb.runs.machine import processor
from fer_perturb.train import train

SWEEP = (
    ["scheme=baseline"],
    ["scheme=perturb"],
    ["scheme=perturb", "scheme.regions.n_clusters=4"],
    ["scheme=perturb", "recipe=cpu", "scheme.views.fill=128"],
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("outputs")
    generated_runs(root, SWEEP, range(3))
    return root


def at(summary: dict[str, Any], key: str) -> Any:
    """What a column is said to be."""
    for part in key.split("."):
        summary = summary[int(part)] if isinstance(summary, list) else summary[part]
    return summary


def test_a_row_is_what_its_summary_says(outputs: Path) -> None:
    frame = collect(outputs)
    assert len(frame) == 12
    for row in frame.to_dict("records"):
        summary = json.loads(Path(row["run"], "summary.json").read_text())
        for key in (
            *("dataset", "model", "scheme", "seed", "precision", "device", "commit", "config_hash", "inference"),
            *("test.accuracy", "test.per_class.fear.f1", "val.balanced_accuracy", "test_original.accuracy_no_twins"),
            *("phases.predictor.seconds", "phases.predictor.flops", "phases.predictor.test.accuracy"),
        ):
            assert row[key] == at(summary, key), key
        assert row["test_on.fer2013+mouth@1.accuracy"] == summary["test_on"]["fer2013+mouth@1"]["accuracy"]
        if row["scheme"] == "baseline":
            assert pd.isna(row["phases.clustering.areas.2"])
            assert pd.isna(row["test_views.accuracy"])
        else:
            assert row["phases.clustering.areas.2"] == 0.4


def test_choices_in_which_runs_differ_are_columns(outputs: Path) -> None:
    frame = collect(outputs)
    assert set(frame["recipe"]) == {"quick", "cpu"}
    found = frame["scheme.regions.n_clusters"]
    assert sorted(found.dropna()) == [3.0] * 6 + [4.0] * 3
    assert found.isna().sum() == 3
    assert set(frame["scheme.regions"].dropna()) == {"BatchClusters"}
    assert set(frame["scheme.views.fill"].dropna()) == {"black", "128"}  # one type a column
    assert "recipe.optimizer.lr" in frame
    assert "recipe.mixup" not in frame  # the same in all
    assert not [key for key in frame if key.startswith(("paths", "logger", "dataset.reader"))]

    perturb = collect(outputs, where="scheme=perturb recipe=quick recipe.mixup=0")
    assert set(perturb["scheme.regions.n_clusters"]) == {3, 4}
    assert "scheme.regions" not in perturb
    assert set(perturb["recipe.mixup"]) == {0.0}  # asked for


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("", 12),
        ("scheme=perturb seed<2", 6),
        ("scheme=perturb  seed <= 1 recipe = cpu", 2),
        ("scheme!=perturb", 3),
        ("seed=0,2", 8),
        ("scheme.regions.n_clusters=null", 3),
        ("scheme.regions.n_clusters!=4 scheme!=baseline", 6),
        ("scheme.regions.n_clusters>3", 3),
        ('device="of steam" scheme.regions=BatchClusters', 9),
        ("scheme.views.fill=128", 3),
        ("scheme.reestimate_bn=false recipe.optimizer.lr=0.004", 3),
        ("test.accuracy>=0 test.accuracy<=1", 12),
    ],
)
def test_where(outputs: Path, where: str, count: int) -> None:
    assert len(collect(outputs, where=where)) == count


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("schem=perturb", "no run has schem. Did you mean scheme?"),
        ("perturb", "perturb is no condition: expected key=value"),
        ("seed<three", "seed<three: expected a number after <"),
        ('scheme="perturb', "a quotation mark is not closed"),
        ("seed=7", "no run is so, of 12"),
    ],
)
def test_what_cannot_be_asked_is_said(outputs: Path, where: str, says: str) -> None:
    with pytest.raises(UserError, match=says.replace("?", r"\?").replace(".", r"\.")):
        collect(outputs, where=where)


def test_a_condition_on_what_a_row_does_not_have() -> None:
    (less,), (other,) = conditions("a<1"), conditions("a!=1")
    assert not less.holds({})
    assert not less.holds({"a": "0"})
    assert other.holds({})


def test_damaged_and_foreign_folders_are_told_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, wrong, torn, config, none, begun = generated_runs(tmp_path, [["scheme=baseline"]], range(6))
    wrong_text = (wrong / "summary.json").read_text()
    (wrong / "summary.json").write_text(wrong_text.replace('"best_epoch": 17', '"best_epoch": 18'))
    (torn / "summary.json").write_text(wrong_text[:-100])
    (config / "config.yaml").write_text((config / "config.yaml").read_text().replace("epochs: ", "epochs: 1"))
    (none / "config.yaml").unlink()
    (begun / "summary.json").unlink()
    (tmp_path / "notes").mkdir()
    other = tmp_path / "other" / "project"
    other.mkdir(parents=True)
    (other / "summary.json").write_text('{"loss": 1}')
    for name in ("tables", "contact_sheets", ".cache", "search"):
        (tmp_path / name).mkdir()
    shutil.copytree(tmp_path / "fer2013", tmp_path / "debug" / "fer2013")
    (tmp_path / "fer2013" / "loop").symlink_to(tmp_path)
    shutil.copytree(whole, tmp_path / "copied" / whole.name)

    frame = collect(tmp_path)

    assert len(frame) == 1
    told = capsys.readouterr().out.splitlines()
    for path, why in (
        (wrong, "its checksum differs"),
        (torn, "summary.json is damaged"),
        (config, "config.yaml is damaged"),
        (none, "config.yaml cannot be read"),
        (other, "no run's ('phases' is missing)"),
        (tmp_path / "notes", "holds no run"),
        (whole, "is the run that"),
    ):
        (line,) = [line for line in told if line.startswith(str(path))]
        assert why in line
        assert line.endswith("It is left out.")
    assert "Unfinished runs that are left out: 1." in told
    assert len(told) == 8


def test_without_runs_there_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no finished run"):
        collect(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        collect(tmp_path / "nowhere")


def test_the_command_writes_it_whole(outputs: Path, commands: Commands, tmp_path: Path, monkeypatch) -> None:
    """Read back as it was, from several roots, by a where= of several words."""
    monkeypatch.chdir(tmp_path)
    generated_runs(tmp_path / "more, here", [["scheme=baseline"]], [7])
    shown = commands("collect", f"roots=[{outputs},'more, here']", "where=scheme=baseline seed!=1", "out=found/all")
    assert shown.status == 0, shown
    assert "3 runs, " in shown.out
    parquet, csv = pd.read_parquet("found/all.parquet"), pd.read_csv("found/all.csv")
    assert list(parquet["seed"]) == list(csv["seed"]) == [0, 2, 7]
    assert list(parquet.columns) == list(csv.columns)
    assert list(csv["test.accuracy"]) == pytest.approx(list(parquet["test.accuracy"]))
    assert commands("collect", f"paths.outputs={outputs}", "out=one.csv").status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found", "more, here", "one.csv"]
    assert commands("collect", f"roots={outputs}", "where=a").sentence.startswith("where: a is no condition")


def test_a_run_as_it_is_trained(data_directory: Path, tmp_path: Path) -> None:
    run, summary = train(small(data_directory, tmp_path, "scheme=baseline"))
    (row,) = collect(tmp_path).to_dict("records")
    assert row["run"] == str(run)
    assert row["device"] == row["phases.predictor.device"] == processor()
    assert row["recipe"] == "demo"
    for key in ("test.accuracy", "phases.predictor.flops", "phases.predictor.commit", "test_no_tta.f1_macro"):
        assert row[key] == at(summary, key)
