"""A process that is told to stop says what the same command does then, stops a whole sweep, and ends by the signal."""

import csv
import signal
from pathlib import Path

import pytest
from composing import DRAWING, small_overrides
from forking import Forked, Hold, forked

pytestmark = pytest.mark.slow

STEP = "fer_perturb.tasks.training.classifier:Classifier.training_step"
EPOCH = 3  # steps
FINISHED = "synthetic/*/*/seed{}-*/summary.json"


def sweep(data: Path, outputs: Path, hold: Hold | None = None) -> Forked:
    words = [*small_overrides(data, outputs), "scheme=baseline", "seed=0,1,2"]
    return forked("train", "-m", *words, folder=outputs / "shown", before=hold)


def stopped(started: Forked, number: signal.Signals) -> str:
    """What a sweep prints that is told to stop where it is held."""
    assert started.end(number) == -number, started.err  # which a shell calls 143 or 130
    assert started.err == f"\nStopped ({number.name}). The same command goes on where this one was.\n"
    return started.out


def test_a_sweep_stops_as_a_whole_and_goes_on(data_directory: Path, tmp_path: Path) -> None:
    out = stopped(sweep(data_directory, tmp_path, Hold(STEP, EPOCH + 1)), signal.SIGTERM)
    assert "#0 :" in out
    assert "#1 :" not in out
    assert not list(tmp_path.glob(FINISHED.format("*")))

    out = stopped(sweep(data_directory, tmp_path, Hold(STEP, EPOCH + EPOCH + 1)), signal.SIGINT)
    assert "#1 :" in out
    assert "#2 :" not in out
    assert len(list(tmp_path.glob(FINISHED.format("0")))) == 1
    assert not list(tmp_path.glob(FINISHED.format("[12]")))

    last = sweep(data_directory, tmp_path)
    assert (last.status, last.err) == (0, "")
    assert last.out.count("Finished before") == 1
    assert len(list(tmp_path.glob(FINISHED.format("*")))) == 3
    for seed in (0, 1):
        (log,) = tmp_path.glob(f"synthetic/*/*/seed{seed}-*/logs/predictor/version_1/metrics.csv")
        with log.open() as file:
            assert min(int(row["epoch"]) for row in csv.DictReader(file)) > 0  # not from the start


@pytest.mark.parametrize(
    ("entry", "where", "says"),
    [
        ("prepare", "fer_perturb.files:write_npy", "begins anew, as no file is half written"),
        ("landmarks", "fer_perturb.data.landmarks.placing:place_landmarks", "goes on where this one was"),
    ],
)
def test_each_says_what_the_same_command_does(
    entry: str, where: str, says: str, data_directory: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data" if entry == "prepare" else data_directory
    words = ("dataset=synthetic", *DRAWING, f"paths.data={data}", f"paths.outputs={tmp_path}")
    started = forked(entry, *words, folder=tmp_path / "shown", before=Hold(where))
    assert started.end(signal.SIGTERM) == -signal.SIGTERM
    assert started.err == f"\nStopped (SIGTERM). The same command {says}.\n"
    assert not list(tmp_path.glob("data/synthetic"))
    again = forked(entry, *words, folder=tmp_path / "shown")
    assert again.status == 0, again.err
