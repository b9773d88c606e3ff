"""Processes that train together stay in step: what one alone does reaches all, and so does what fails in one."""

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from forking import CONTEXT, PATIENCE
from torch import distributed

from fer_perturb import processes
from fer_perturb.errors import OtherProcessError, UserError
from fer_perturb.processes import is_first, join, of_each, of_first, several
from fer_perturb.runs.phase_cache import RECORD, PhaseResult, run_phase

pytestmark = pytest.mark.slow

Scenario = Callable[[Path], Any]


def two(scenario: Scenario, folder: Path, *, statuses: tuple[int, int] = (0, 0)) -> list[str]:
    """What two processes that have joined write on stderr while each calls `scenario`, which asserts what it should."""
    started = [CONTEXT.Process(target=_one, args=(scenario, folder, rank)) for rank in (0, 1)]
    for process in started:
        process.start()
    for process in started:
        process.join(PATIENCE)
    told = [(folder / f"err{rank}").read_text() for rank in (0, 1)]
    assert tuple(process.exitcode for process in started) == statuses, "\n".join(told)
    return told


def _one(scenario: Scenario, folder: Path, rank: int) -> None:
    os.dup2(os.open(folder / f"err{rank}", os.O_WRONLY | os.O_CREAT), 2)
    join(trainer(folder, rank), "a job")
    scenario(folder)


def trainer(folder: Path, rank: int, world_size: int = 2) -> Any:
    """What `join` needs of Lightning's."""

    def set_up() -> None:
        distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=world_size)
        processes.rank_zero_only.rank = rank  # type: ignore[attr-defined]

    launcher = SimpleNamespace(launch=lambda function, trainer: function())
    return SimpleNamespace(world_size=world_size, strategy=SimpleNamespace(launcher=launcher, setup_environment=set_up))


def failing(reason: str) -> Callable[..., Any]:
    def work(*_: Any) -> Any:
        raise UserError(reason)

    return work


def test_one_process_needs_no_group(tmp_path: Path) -> None:
    join(trainer(tmp_path, 0, world_size=1), "a job")
    assert not several()
    assert is_first()
    assert (of_first(lambda: 1), of_each(lambda: 2)) == (1, 2)
    for way in (of_first, of_each):
        with pytest.raises(UserError, match="too few pixels"):
            way(failing("too few pixels"))


def the_first_decides(folder: Path) -> None:
    def work() -> dict[str, Any]:
        (folder / "done").touch(exist_ok=False)
        return {"rank": distributed.get_rank(), "at": folder}

    assert several()
    assert is_first() == (distributed.get_rank() == 0)
    assert of_first(work) == {"rank": 0, "at": folder}
    assert of_each(distributed.get_rank) == distributed.get_rank()


def test_what_the_first_does_alone_is_everybody_s(tmp_path: Path) -> None:
    assert two(the_first_decides, tmp_path) == ["", ""]


def a_failure_is_heard_by_all(folder: Path) -> None:
    rank = distributed.get_rank()

    def training() -> None:
        """One fails where the others come to meet it."""
        if rank == fails:
            raise ValueError("diverged")
        of_each(lambda: None)
        raise AssertionError

    for fails in (0, 1):
        with pytest.raises(ValueError if rank == fails else OtherProcessError, match="diverged"):
            of_each(training)
        assert of_each(lambda: rank) == rank  # they are in step
    with pytest.raises(UserError, match="too few pixels") as raised:
        of_each(lambda: of_each(lambda: of_first(failing("too few pixels"))))
    assert isinstance(raised.value, OtherProcessError) == (rank == 1)
    assert of_first(lambda: "the next job") == "the next job"


def test_what_fails_in_one_fails_in_all_and_they_stay_in_step(tmp_path: Path) -> None:
    two(a_failure_is_heard_by_all, tmp_path)


def another_number_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"trainer.devices: 1 in this job, and 2 in one before it"):
        join(trainer(folder, 0, world_size=1), "another job")
    join(trainer(folder, 0), "the same job")


def test_all_jobs_of_a_program_have_the_same_processes(tmp_path: Path) -> None:
    two(another_number_is_refused, tmp_path)


def out_of_step(folder: Path) -> None:
    join(trainer(folder, 0), "the third job" if is_first() else "the second job")
    of_first(lambda: None)


def test_processes_at_different_jobs_end(tmp_path: Path) -> None:
    first, second = two(out_of_step, tmp_path, statuses=(1, 1))
    assert f"Error: This process has come to the second job, and the first one to the third job. {processes.APART}" in (
        second
    )
    assert f"Error: {processes.APART}" in first


def killed(folder: Path) -> None:
    if distributed.get_rank() == int((folder / "dies").read_text()):
        os.kill(os.getpid(), signal.SIGKILL)
    of_first(lambda: None)


def killed_in_training(folder: Path) -> None:
    def training() -> None:
        if distributed.get_rank() == int((folder / "dies").read_text()):
            os.kill(os.getpid(), signal.SIGKILL)
        distributed.all_reduce(torch.ones(1))

    of_each(training)


@pytest.mark.parametrize("scenario", [killed, killed_in_training])
@pytest.mark.parametrize("dies", [0, 1])
def test_the_others_end_with_one_that_is_killed(scenario: Scenario, dies: int, tmp_path: Path) -> None:
    (tmp_path / "dies").write_text(str(dies))
    statuses = (-signal.SIGKILL, 1) if dies == 0 else (1, -signal.SIGKILL)
    told = two(scenario, tmp_path, statuses=statuses)
    assert f"Error: {processes.APART}" in told[1 - dies]


def fails_while_others_train(folder: Path) -> None:
    processes.PATIENCE = timedelta(milliseconds=200)

    def training() -> None:
        if is_first():
            raise UserError("There is no room for the checkpoint.")
        distributed.barrier()  # as after each checkpoint

    of_each(training)


def test_nobody_waits_for_one_that_has_failed_in_training(tmp_path: Path) -> None:
    first, second = two(fails_while_others_train, tmp_path, statuses=(1, 1))
    assert f"Error: There is no room for the checkpoint. {processes.APART}" in first
    assert processes.APART in second


# ---------------------------------------------------------------------------------------------------------- phases


def a_phase(folder: Path, number: int, work: Callable[[Path], dict[str, Any]], *, together: bool) -> PhaseResult:
    return run_phase(folder, "attention", "Phase", {"number": number}, work, together=together)


def phases(folder: Path) -> None:
    rank = distributed.get_rank()

    def works(directory: Path) -> dict[str, Any]:
        (directory / f"file{rank}").touch(exist_ok=False)
        return {"rank": rank}

    for number, together in enumerate((True, False)):
        made = a_phase(folder, number, works, together=together)
        found = a_phase(folder, number, failing("it is there"), together=together)
        assert (made.cached, found.cached) == (False, True)
        assert made.record == found.record == {"rank": 0}
        assert (made.directory / "file0").exists()
        assert (made.directory / "file1").exists() == together
        of_each(lambda: None)
        if is_first():
            (made.directory / RECORD).write_text("{")  # a disk's doing
        assert a_phase(folder, number, works, together=together).record == {"rank": 0}


def test_a_phase_is_found_or_made_by_the_first_or_by_all(tmp_path: Path) -> None:
    two(phases, tmp_path)
    assert len(list((tmp_path / "attention").glob("*.damaged*"))) == 2


def failing_phases(folder: Path) -> None:
    rank = distributed.get_rank()

    def fails_in(one: int) -> Callable[[Path], dict[str, Any]]:
        return failing("diverged") if rank == one else lambda directory: {}

    for number, (together, one) in enumerate([(True, 0), (True, 1), (False, 0)]):
        with pytest.raises(UserError if rank == one else OtherProcessError, match="diverged"):
            a_phase(folder, number, fails_in(one), together=together)
        # the next job of the sweep comes to it again
        assert a_phase(folder, number, lambda directory: {"seconds": 3}, together=together).record == {"seconds": 3}


def test_a_phase_that_fails_fails_in_all_and_the_next_job_makes_it(tmp_path: Path) -> None:
    two(failing_phases, tmp_path)


def a_file_is_in_the_way(folder: Path) -> None:
    if is_first():
        (folder / "attention").touch()
    of_each(lambda: None)
    with pytest.raises(OSError if is_first() else OtherProcessError, match="exists"):
        a_phase(folder, 0, lambda directory: {}, together=True)


def test_a_cache_that_cannot_be_written_is_told_to_all(tmp_path: Path) -> None:
    two(a_file_is_in_the_way, tmp_path)


def locked(folder: Path) -> None:
    def works(directory: Path) -> dict[str, Any]:
        (folder / "at work").touch()
        while not (folder / "go on").exists():
            time.sleep(0.01)
        return {"by": "the program of two"}

    a_phase(folder, 0, works, together=False)


def test_two_programs_want_the_same_phase(tmp_path: Path) -> None:
    """One is of two processes; the other waits for its lock."""
    other = CONTEXT.Process(target=_waits, args=(tmp_path,))
    other.start()
    two(locked, tmp_path)
    other.join(PATIENCE)
    assert other.exitcode == 0


def _waits(folder: Path) -> None:
    while not (folder / "at work").exists():
        time.sleep(0.01)
    (folder / "go on").touch()
    found = a_phase(folder, 0, failing("it was to wait"), together=False)
    assert found.record == {"by": "the program of two"}
