"""The summary is what the predictions say."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from composing import small

from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.data.packed import load_packed
from fer_perturb.train import train


def test_scores_and_twins(data_directory, tmp_path):
    run, summary = train(small(data_directory, tmp_path, "scheme=baseline", "recipe.tta=flip"))
    rows = pq.read_table(run / "predictions" / "synthetic.parquet").to_pylist()
    test = [row for row in rows if row["split"] == "test" and row["tta"] == "flip"]
    classes = load_packed(data_directory / "synthetic").classes
    right = [int(np.argmax([row[f"logit_{name}"] for name in classes])) == row["label"] for row in test]
    assert summary["test"]["accuracy"] == pytest.approx(sum(right) / len(right))
    assert summary["test"]["accuracy_no_twins"] == summary["test"]["accuracy"]  # drawn faces have no twins
    assert summary["test_views"] is None
    assert set(summary["test"]["per_class"]) == set(classes)
    assert summary["phases"]["predictor"]["passes"] == 2 * 3 * 32


def test_images_that_also_stand_in_training_are_left_out(data_directory, tmp_path):
    from fer_perturb.analysis.summary import _accuracy_no_twins

    run, _ = train(small(data_directory, tmp_path, "scheme=baseline"))
    test = read_predictions(run / "predictions" / "synthetic.parquet", split="test", inference="original", tta="none")
    right = test.logits.argmax(dim=1) == test.labels
    assert _accuracy_no_twins(test, test.sha256[~right.numpy()]) == 1.0
    assert _accuracy_no_twins(test, test.sha256) is None


def test_what_a_run_did_not_make_is_none(data_directory, tmp_path):
    run, _ = train(small(data_directory, tmp_path, "scheme=baseline"))
    path = run / "predictions" / "synthetic.parquet"
    assert read_predictions(path, split="test", inference="views", tta="none") is None
