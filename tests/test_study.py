"""The confirmatory runs: each is kept once, whatever happens between training and its row; tables follow from that."""

import pytest
from composing import composed, small_overrides

from fer_perturb.analysis.metrics import scores as scores_of_predictions
from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.data.prepare_dataset import prepare_maskfer
from fer_perturb.evaluate import evaluate
from fer_perturb.open_data import open_data
from fer_perturb.train import train
from results import study
from results.plan import Run
from results.record import COLUMNS, METRICS, read_arrays, read_rows, scores_of

BLOCK = ("perturb", "baseline", "position_only_2x")


@pytest.fixture(scope="module")
def folders(data_directory, tmp_path_factory):
    """Drawn faces and their MaskFer; where runs go; small settings for all of them."""
    outputs = tmp_path_factory.mktemp("outputs")
    given = [o for o in small_overrides(data_directory, outputs) if o.partition("=")[0] not in ("recipe", "logger")]
    small = [o for o in given if not o.startswith("paths") and "progress" not in o]
    data = open_data(composed(*small, f"paths.data={data_directory}"))
    prepare_maskfer(data, data_directory / "maskfer", unplaced="mean", workers=1)
    return data_directory, outputs, small


@pytest.fixture
def ours(folders, tmp_path, monkeypatch):
    """A study of those, whose commands run in this process and are noted."""
    data, outputs, small = folders
    called = []

    def call(self, entry, *words):
        called.append(entry)
        given = [word for word in words if word not in small] + [word for word in small if entry == "train"]
        {"train": train, "evaluate": evaluate}[entry](composed(*given, name=entry))

    monkeypatch.setattr(study.Study, "call", call)
    made = study.Study(data, outputs, tmp_path / "kept", small)
    return made, called


def test_a_block_is_kept_once_and_its_answers_say_what_its_rows_say(ours):
    made, called = ours
    runs = [Run(arm, "seresnet_light", 0) for arm in BLOCK]
    for run in runs:
        made.go(run)
    assert called.count("evaluate") == 1  # the baseline, under Perturb's views
    rows = read_rows(made.csv)
    assert [row["arm"] for row in rows] == ["attention_only", "perturb", "baseline", "position_only_2x"]
    assert {tuple(row) for row in rows} == {COLUMNS}
    for row in rows:
        file = made.answers_of(f"{row['arm']}-seresnet_light-seed0")
        assert file.stat().st_size < 100_000
        again = scores_of(read_arrays(file), made.labels)
        assert {key: float(row[key]) for key in again} == pytest.approx(again, abs=1e-6)
        assert float(row["attention_flops"]) > 0 or row["arm"] in ("baseline", "position_only_2x")

    # what the project's own metrics say, from its own predictions
    perturb = rows[1]
    for name, file in {"whole": made.dataset, **made.test_sets}.items():
        path = made.directory(runs[0]) / "predictions" / f"{file}.parquet"
        for reading in ("original", "views"):
            own = scores_of_predictions(read_predictions(path, split="test", inference=reading, tta="none"))
            for metric in METRICS:
                assert float(perturb[f"{name}.{reading}.{metric}"]) == pytest.approx(own[metric], abs=1e-5)
    assert rows[2]["whole.perturb_views.accuracy"] != ""
    assert rows[2]["whole.views.accuracy"] == "" == rows[0]["mouth.original.accuracy"]

    before = made.csv.read_bytes()
    for run in runs:
        made.keep(run)
    assert made.csv.read_bytes() == before


def test_killed_between_a_run_and_its_row(ours, monkeypatch):
    made, called = ours
    run = Run("perturb", "seresnet_light", 0)

    def killed(path, row):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(study, "add_row", killed)
        with pytest.raises(KeyboardInterrupt):
            made.go(run)
    assert read_rows(made.csv) == []
    trained = called.count("train")
    made.go(run)
    assert called.count("train") == trained  # it was finished
    assert [row["arm"] for row in read_rows(made.csv)] == ["attention_only", "perturb"]
