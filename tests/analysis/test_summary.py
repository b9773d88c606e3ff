"""The summary is what the predictions say."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from composing import BATCH, small

from fer_perturb.analysis.predictions import Predictions, read_predictions
from fer_perturb.analysis.summary import ferplus_scores
from fer_perturb.data.emotions import EMOTIONS
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
    assert summary["ferplus"] is None  # nor have they votes
    assert set(summary["test"]["per_class"]) == set(classes)
    assert summary["phases"]["predictor"]["passes"] == 2 * 3 * BATCH


def test_images_that_also_stand_in_training_are_left_out(data_directory, tmp_path):
    from fer_perturb.analysis.summary import _accuracy_no_twins

    run, _ = train(small(data_directory, tmp_path, "scheme=baseline"))
    test = read_predictions(run / "predictions" / "synthetic.parquet", split="test", inference="original", tta="none")
    right = test.logits.argmax(dim=1) == test.labels
    assert _accuracy_no_twins(test, test.sha256[~right.numpy()]) == 1.0
    assert _accuracy_no_twins(test, test.sha256) is None


def test_against_the_plurality_of_votes_by_hand():
    votes = np.zeros((6, 10), np.uint8)
    for row, voters in enumerate(({1: 10}, {1: 6, 0: 4}, {3: 9}, {3: 5, 4: 5}, {7: 10}, {8: 10})):
        for column, count in voters.items():
            votes[row, column] = count
    # happy, happy, sad; then nothing by a tie, contempt, unknown
    sad, happy = EMOTIONS.index("sad"), EMOTIONS.index("happy")
    answers = torch.tensor([happy, sad, sad, sad, happy, happy])
    names = np.array([str(row) for row in range(6)])
    of_seven = Predictions(
        torch.zeros(6, dtype=torch.int64), torch.eye(7)[answers], names, names.astype("S64"), EMOTIONS
    )
    assert ferplus_scores(of_seven, votes) == {
        "accuracy": pytest.approx(2 / 3),
        "balanced_accuracy": pytest.approx((1 / 2 + 1) / 2),
        "n": 3,
    }
    # a network that knows contempt, its classes in another order, is judged by it too
    order = ("contempt", "happy", "sad")
    own = torch.tensor([order.index(name) for name in ("happy", "happy", "sad", "sad", "contempt", "sad")])
    of_three = Predictions(torch.zeros(6, dtype=torch.int64), torch.eye(3)[own], names, names.astype("S64"), order)
    assert ferplus_scores(of_three, votes) == {"accuracy": 1.0, "balanced_accuracy": 1.0, "n": 4}
    assert ferplus_scores(of_seven, np.zeros_like(votes)) is None


def test_what_a_run_did_not_make_is_none(data_directory, tmp_path):
    run, _ = train(small(data_directory, tmp_path, "scheme=baseline"))
    path = run / "predictions" / "synthetic.parquet"
    assert read_predictions(path, split="test", inference="views", tta="none") is None
