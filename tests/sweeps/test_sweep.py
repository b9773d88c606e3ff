"""A sweep of two jobs, each in a process of its own, that are stopped, killed and fail, and go on."""

import os
import re
import signal
import time
from pathlib import Path

import pytest
from composing import small_overrides
from faulty import write_faults
from forking import PATIENCE, Forked, forked

pytestmark = pytest.mark.slow


def started(data: Path, folder: Path, *words: str) -> Forked:
    given = [word for word in small_overrides(data, folder / "outputs") if word != "launcher=basic"]
    ours = ["-m", "--config-dir=conf", "callbacks=fault", "scheme=baseline", "seed=0,1", "launcher.workers=2"]
    return forked("train", *ours, *given, *words, folder=folder, environment={"OMP_NUM_THREADS": "1"})


def runs(folder: Path) -> list[str]:
    return sorted(file.parent.name.partition("-")[0] for file in folder.glob("outputs/synthetic/*/*/*/summary.json"))


def hanging(sweep: Forked, folder: Path, jobs: int) -> list[int]:
    """The processes of so many jobs, once all of them hang."""
    deadline = time.monotonic() + PATIENCE
    while len(pids := [int(text) for file in folder.glob("seed?.pid") if (text := file.read_text())]) < jobs:
        assert sweep.process.is_alive(), sweep.out + sweep.err
        assert time.monotonic() < deadline, sweep.out
        time.sleep(0.05)
    for file in folder.glob("seed?.pid"):
        file.unlink()
    return pids


def at_work(pid: int) -> bool:
    """Whether there is such a process, other than one that has ended and that nobody has asked about."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_jobs_end_with_a_sweep_that_is_killed(data_directory: Path, tmp_path: Path) -> None:
    write_faults(tmp_path, "hang")
    sweep = started(data_directory, tmp_path, "seed=0")
    (pid,) = hanging(sweep, tmp_path, 1)
    os.kill(sweep.process.pid or 0, signal.SIGKILL)
    assert sweep.status == -signal.SIGKILL
    deadline = time.monotonic() + PATIENCE
    while at_work(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (log,) = tmp_path.glob("outputs/synthetic/*/baseline/seed0-*/job.log")
    assert "Stopped (SIGTERM). The same command goes on where this one was." in log.read_text()


def test_whatever_ends_a_job_ends_it_alone_and_the_same_command_goes_on(data_directory: Path, tmp_path: Path) -> None:
    write_faults(tmp_path, "hang", "hang")
    sweep = started(data_directory, tmp_path)
    pids = hanging(sweep, tmp_path, 2)
    os.kill(sweep.process.pid or 0, signal.SIGTERM)
    assert sweep.status == -signal.SIGTERM
    assert sweep.err == "\nStopped (SIGTERM). The same command goes on where this one was.\n"
    assert "0 of 2 jobs are done. Those at work are being ended: 2." in sweep.out
    assert not any(map(at_work, pids))

    write_faults(tmp_path, "kill", "raise")
    sweep = started(data_directory, tmp_path)
    assert sweep.status == 2
    assert "Traceback" not in sweep.err
    assert "2 of 2 jobs" in sweep.err
    commands = [line.strip() for line in sweep.err.splitlines() if line.startswith("  python -m fer_perturb.train")]
    assert [re.findall(r"seed=\d|--config-dir=conf|hydra.mode=RUN", of) for of in commands] == [
        ["--config-dir=conf", f"seed={seed}", "hydra.mode=RUN"] for seed in (0, 1)
    ]
    assert "Error: Killed by SIGKILL" in sweep.err
    assert "Error: RuntimeError: a fault of seed 1\n" in sweep.err
    (log,) = tmp_path.glob("outputs/synthetic/*/baseline/seed1-*/job.log")
    assert str(log) in sweep.err
    assert "in two lines" in log.read_text()
    assert runs(tmp_path) == []

    for seed in (0, 1):
        (tmp_path / f"seed{seed}").unlink()
    sweep = started(data_directory, tmp_path)
    assert (sweep.status, sweep.err) == (0, "")
    assert runs(tmp_path) == ["seed0", "seed1"]
    assert sweep.out.count("All of baseline") == 2
    assert len(list(tmp_path.glob("outputs/synthetic/*/baseline/*/logs/predictor/version_2"))) == 2  # resumed twice

    sweep = started(data_directory, tmp_path)
    assert (sweep.status, sweep.err) == (0, "")
    assert len(re.findall(r"^\d/2 done before +seed=\d: .*outputs/synthetic", sweep.out, re.MULTILINE)) == 2
    assert "2 done, 0 to be run." in sweep.out
    assert "running" not in sweep.out
    assert sweep.out.count("All of baseline") == 2  # their table is printed all the same
