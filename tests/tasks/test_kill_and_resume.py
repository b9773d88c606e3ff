"""A chain that is killed (SIGKILL) in each of its phases, and resumed, gives the same logits bit for bit."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
from composing import small_overrides

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
PATIENCE = 120  # seconds


def start(data: Path, outputs: Path) -> subprocess.Popen[bytes]:
    small = [o.replace("recipe=demo", "recipe=paper") for o in small_overrides(data, outputs)]
    small = [o for o in small if not o.startswith(("recipe.epochs", "trainer.limit"))]
    command = [sys.executable, "-m", "fer_perturb.train", *small, *OVERRIDES]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_when(process: subprocess.Popen[bytes], outputs: Path, pattern: str) -> None:
    """SIGKILL as soon as a file that fits `pattern` is in the cache."""
    deadline = time.monotonic() + PATIENCE
    while not list((outputs / ".cache").glob(pattern)):
        assert process.poll() is None, f"ended before {pattern} was there: {process.stderr and process.stderr.read()}"
        assert time.monotonic() < deadline, f"no {pattern}"
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL


def finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors.decode()


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
