"""The experiments on drawn faces, from the command line to their tables."""

import re

import pytest
from composing import small, small_overrides
from test_train_command import command

from fer_perturb.data.packed import load_packed
from fer_perturb.data.prepare_dataset import prepare_maskfer
from fer_perturb.errors import UserError
from fer_perturb.report.experiment_tables import TABLES, write_table
from fer_perturb.train import train


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def experiment(data, outputs, name, *given):
    overrides = [o for o in small_overrides(data, outputs) if not o.startswith("recipe.epochs")]
    shown = command(f"experiment={name}", *overrides, "recipe.epochs=1", *given, cwd=outputs)
    assert shown.returncode == 0, shown.stderr
    file = outputs / "tables" / f"{name}.md"
    assert f"Written to {file}" in shown.stdout
    return file.read_text()


def test_feature_removal(data_directory, tmp_path):
    text = experiment(data_directory, tmp_path, "feature_removal", "dataset.occluder=none,mouth,eyes")
    parts = text.split("Hidden in ")
    assert [part.split(":")[0] for part in parts[1:]] == [
        "testing only", "training and in testing", "training, whole in testing"
    ]  # fmt: skip
    features = [[row[0] for row in rows(part)[3:]] for part in parts[1:]]
    assert features[0] == ["mouth", "nose", "eyes", "brows", "upper", "lower", "mask"]
    assert features[1:] == [["mouth", "eyes"], ["mouth", "eyes"]]
    assert rows(parts[1])[0] == ["", "all", "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert re.fullmatch(r"-|[+-]\d+ % \[[+-]\d+, [+-]\d+\]", rows(parts[1])[3][1])


def test_occlusion_curve(data_directory, tmp_path):
    text = experiment(data_directory, tmp_path, "occlusion_curve", "scheme=baseline,landmarks")
    table = rows(text)
    assert table[0] == ["scheme", "hidden", "0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert [row[:2] for row in table[2:]] == [
        ["`baseline`", "mask"], ["`baseline`", "eyes"], ["`landmarks`", "mask"], ["`landmarks`", "eyes"]
    ]  # fmt: skip
    assert all(0 <= float(cell) <= 100 for row in table[2:] for cell in row[2:])
    assert (tmp_path / "tables" / "occlusion_curve.png").stat().st_size > 10_000


def test_table1(data_directory, tmp_path):
    """Drawn faces stand for FER2013, and their masked twins for MaskFer."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "fer2013").symlink_to(data_directory / "synthetic")
    prepare_maskfer(load_packed(data / "fer2013"), data / "maskfer", unplaced="mean", workers=1)
    drawn = ("dataset", "recipe.epochs", "paths.data")
    given = [o for o in small_overrides(data, tmp_path) if not o.startswith(drawn)]
    shown = command(
        "experiment=table1", *given, f"paths.data={data}", "recipe.epochs=1", "scheme=baseline,landmarks", cwd=tmp_path
    )
    assert shown.returncode == 0, shown.stderr
    text = (tmp_path / "tables" / "table1.md").read_text()
    for scheme in ("baseline", "landmarks"):
        assert f"under `{scheme}`, against trained and tested on FER2013 (resnet_tiny, seed 0)" in text
    table = rows(text)
    assert table[0][2:5] == [
        "trained and tested on MaskFer",
        "trained on FER2013, tested on MaskFer",
        "trained on MaskFer, tested on FER2013",
    ]
    assert [row[0] for row in table[2:10]] == ["all", "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert table[7][5] == "-8 to +24 %"  # sad, with the draft's signs


def test_a_table_that_there_is_not_is_said(data_directory, tmp_path):
    with pytest.raises(UserError, match=f"table=table2: expected null or one of {', '.join(TABLES)}"):
        train(small(data_directory, tmp_path, "table=table2"))


def test_runs_that_ask_for_none_write_none(data_directory, tmp_path):
    run = train(small(data_directory, tmp_path, "scheme=baseline", "recipe.epochs=1"))
    assert write_table([run]) is None
    assert not (tmp_path / "tables").exists()
