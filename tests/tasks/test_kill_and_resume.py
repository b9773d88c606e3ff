"""A chain that is killed (SIGKILL) in each of its phases, and resumed, gives the same logits bit for bit."""

import csv
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from composing import small_overrides
from forking import Forked, Hold, forked

pytestmark = pytest.mark.slow

# The paper's recipe: five crops, ten in testing, and a schedule that moves at the end of each epoch, by the score on
# val, where resuming is easy to get wrong.
OVERRIDES = [
    "scheme=perturb_image",
    "scheme/views=sample",
    "scheme.regions.init=random",
    "recipe.epochs=3",
    "recipe.scheduler.patience=0",
    "trainer.limit_train_batches=3",
]

TASKS = "fer_perturb.tasks"
KILLS = {  # where, and what is there then
    Hold(f"{TASKS}.training.classifier:Classifier.training_step", 4): "attention/*.partial/checkpoints/last.ckpt",
    Hold(f"{TASKS}.phases.attention_clustering:AttentionClustering.predict_step"): "clustering/*.partial",
    Hold(f"{TASKS}.phases.predictor:Predictor.training_step", 4): "predictor/*.partial/checkpoints/last.ckpt",
    Hold(f"{TASKS}.phases.trained:predict"): "predictor/*.partial/weights.safetensors",
}


def start(data: Path, outputs: Path, hold: Hold | None = None) -> Forked:
    small = [o.replace("recipe=demo", "recipe=paper") for o in small_overrides(data, outputs)]
    small = [o for o in small if not o.startswith(("recipe.epochs", "trainer.limit"))]
    return forked("train", *small, *OVERRIDES, folder=outputs / "shown", before=hold)


def kill(data: Path, outputs: Path, hold: Hold, pattern: str) -> None:
    """SIGKILL where it is held; the cache then has a file that fits `pattern`, by which the phase is known."""
    assert start(data, outputs, hold).end(signal.SIGKILL) == -signal.SIGKILL
    assert list((outputs / ".cache").glob(pattern))


def finish(started: Forked) -> None:
    assert started.status == 0, started.err


def logits(outputs: Path) -> list[list[float]]:
    (path,) = outputs.glob("synthetic/*/*/*/predictions/synthetic.parquet")
    table = pq.read_table(path)
    return [table[name].to_pylist() for name in table.column_names if name.startswith("logit_")]


def test_killed_in_each_phase(data_directory: Path, tmp_path: Path) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    for hold, pattern in KILLS.items():
        kill(data_directory, pieces, hold, pattern)
    assert not list(pieces.glob("synthetic/*/*/*/summary.json"))  # nothing passes for finished
    finish(start(data_directory, pieces))
    finish(start(data_directory, whole))
    assert logits(pieces) == logits(whole)
    for phase in ("attention", "predictor"):  # the second start went on; starting over would give the same logits
        assert first_epoch(whole, phase, version=0) == 0
        assert first_epoch(pieces, phase, version=1) > 0


def first_epoch(outputs: Path, phase: str, version: int) -> int:
    """The first epoch that a start of a phase trained, by its log."""
    (path,) = outputs.glob(f"synthetic/*/*/*/logs/{phase}/version_{version}/metrics.csv")
    with path.open() as file:
        return min(int(row["epoch"]) for row in csv.DictReader(file))
