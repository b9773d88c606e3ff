"""A chain that is killed (SIGKILL) in each of its phases, and resumed, gives the same logits bit for bit."""

import csv
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
from composing import small_overrides
from forking import PATIENCE, Forked, forked

# The paper's recipe: five crops, ten in testing, and a schedule that moves at the end of each epoch, by the score on
# val, where resuming is easy to get wrong.
OVERRIDES = [
    "scheme=perturb_image",
    "scheme.views=sample",
    "scheme.init=random",
    "recipe.epochs=4",
    "recipe.scheduler.patience=0",
    "trainer.limit_train_batches=4",
]


def start(data: Path, outputs: Path) -> Forked:
    small = [o.replace("recipe=demo", "recipe=paper") for o in small_overrides(data, outputs)]
    small = [o for o in small if not o.startswith(("recipe.epochs", "trainer.limit"))]
    return forked("train", *small, *OVERRIDES, folder=outputs / "shown")


def kill_when(started: Forked, outputs: Path, pattern: str) -> None:
    """SIGKILL as soon as a file that fits `pattern` is in the cache."""
    deadline = time.monotonic() + PATIENCE
    while not list((outputs / ".cache").glob(pattern)):
        assert started.process.is_alive(), f"ended before {pattern} was there: {started.err}"
        assert time.monotonic() < deadline, f"no {pattern}"
        time.sleep(0.001)
    started.process.kill()
    assert started.status == -signal.SIGKILL


def finish(started: Forked) -> None:
    assert started.status == 0, started.err


def logits(outputs: Path) -> list[list[float]]:
    (path,) = outputs.glob("synthetic/*/*/*/predictions/synthetic.parquet")
    table = pq.read_table(path)
    return [table[name].to_pylist() for name in table.column_names if name.startswith("logit_")]


def test_killed_in_each_phase(data_directory: Path, tmp_path: Path) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    kill_when(start(data_directory, pieces), pieces, "attention/*.partial/checkpoints/last.ckpt")
    kill_when(start(data_directory, pieces), pieces, "clustering/*.partial")
    kill_when(start(data_directory, pieces), pieces, "predictor/*.partial/checkpoints/last.ckpt")
    kill_when(start(data_directory, pieces), pieces, "predictor/*.partial/weights.safetensors")  # before the test
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
