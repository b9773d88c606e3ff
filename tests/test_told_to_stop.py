"""A process that is told to stop says that the same command goes on, stops a whole sweep, and ends by the signal."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

from composing import small_overrides

PATIENCE = 120  # seconds
TRAINING = ".cache/predictor/*.partial/checkpoints/last.ckpt"  # is there from a training's first epoch to its last
FINISHED = "synthetic/*/*/seed{}-*/summary.json"


def start(data: Path, outputs: Path) -> subprocess.Popen[str]:
    sweep = ["-m", *small_overrides(data, outputs), "scheme=baseline", "seed=0,1,2", "recipe.epochs=5"]
    command = [sys.executable, "-m", "fer_perturb.train", *sweep]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str], outputs: Path, when: list[str], number: signal.Signals) -> str:
    """What a sweep prints that gets a signal as soon as files of each pattern are there."""
    deadline = time.monotonic() + PATIENCE
    while not all(list(outputs.glob(pattern)) for pattern in when):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"no {when}"
        time.sleep(0.001)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == -number, err  # which a shell calls 143 or 130
    assert err == f"\nStopped ({number.name}). The same command goes on where this one was.\n"
    return out


def test_a_sweep_stops_as_a_whole_and_goes_on(data_directory: Path, tmp_path: Path) -> None:
    out = told(start(data_directory, tmp_path), tmp_path, [TRAINING], signal.SIGTERM)
    assert "#0 :" in out
    assert "#1 :" not in out
    assert not list(tmp_path.glob(FINISHED.format("*")))

    out = told(start(data_directory, tmp_path), tmp_path, [FINISHED.format(0), TRAINING], signal.SIGINT)
    assert "#1 :" in out
    assert "#2 :" not in out
    assert not list(tmp_path.glob(FINISHED.format("[12]")))

    last = start(data_directory, tmp_path)
    out, err = last.communicate(timeout=PATIENCE)
    assert (last.returncode, err) == (0, "")
    assert out.count("Finished before") == 1
    assert len(list(tmp_path.glob(FINISHED.format("*")))) == 3
    for seed in (0, 1):
        (log,) = tmp_path.glob(f"synthetic/*/*/seed{seed}-*/logs/predictor/version_1/metrics.csv")
        with log.open() as file:
            assert min(int(row["epoch"]) for row in csv.DictReader(file)) > 0  # not from the start
