"""Processes of one program meet at files."""

import threading
import time

import pytest

from fer_perturb import processes
from fer_perturb.errors import UserError
from fer_perturb.files import write_json
from fer_perturb.processes import announce, noted, program, wait_for
from fer_perturb.runs.phase_cache import AT_WORK, run_phase


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setattr(processes, "PAUSE", 0.01)
    for name in (processes.OURS, *processes.STARTED_TOGETHER):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(processes.OURS, "a program")  # else threads that stand for its processes might name it twice


def failing(reason):
    def work(directory):
        raise UserError(reason)

    return work


def test_a_program_has_one_name_and_another_program_another(monkeypatch):
    monkeypatch.delenv(processes.OURS)
    first = program()
    assert program() == first  # and processes that inherit the environment have it, too
    monkeypatch.delenv(processes.OURS)
    assert program() != first
    monkeypatch.delenv(processes.OURS)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "17")
    monkeypatch.setenv("MASTER_PORT", "4000")
    torchrun = program()
    monkeypatch.delenv(processes.OURS)
    assert program() == torchrun  # each process works it out for itself


def test_notes_of_other_programs_count_for_nothing(tmp_path):
    file = tmp_path / "note.json"
    assert noted(file) is None
    write_json(file, {"program": "another", "reason": "x"})
    assert noted(file) is None
    announce(file, 1, reason="y")
    assert noted(file)["reason"] == "y"
    file.write_text("{")
    assert noted(file) is None


def test_waiting_ends_with_what_comes_first(tmp_path, monkeypatch):
    done, failed, begun = (tmp_path / name for name in ("done", "failed", "begun"))
    announce(begun, 1)
    assert wait_for(done, failed, 1, begun) is False
    announce(failed, 1, reason="too few pixels")
    with pytest.raises(UserError, match="too few pixels"):
        wait_for(done, failed, 1, begun)
    done.touch()
    failed.unlink()
    assert wait_for(done, failed, 1, begun) is True
    done.unlink()
    parents = iter([1, 1, 2])
    monkeypatch.setattr(processes.os, "getppid", lambda: next(parents, 2))
    with pytest.raises(UserError, match="has ended without it"):
        wait_for(done, failed, 1)


def test_the_others_work_only_once_the_first_does(tmp_path):
    """Here threads stand for the processes."""
    order = []

    def first(directory):
        assert noted(directory / AT_WORK)
        order.append("first")
        while len(order) < 2:
            time.sleep(0.01)
        return {"seconds": 1}

    def other(directory):
        order.append("other")
        return {}

    results = {}
    content = {"version": 1}

    def run(name, work, **how):
        results[name] = run_phase(tmp_path, "attention", "Phase", content, work, **how)

    threads = [threading.Thread(target=run, args=("other", other), kwargs={"first": False, "together": True})]
    threads[0].start()
    time.sleep(0.1)
    assert order == []
    threads.append(threading.Thread(target=run, args=("first", first)))
    threads[1].start()
    for thread in threads:
        thread.join(timeout=900)
    assert sorted(order) == ["first", "other"]  # both begin at the note
    assert results["other"].record == results["first"].record == {"seconds": 1}
    assert not (results["first"].directory / AT_WORK).exists()


def test_a_failure_reaches_the_others_and_is_forgotten_at_the_next_start(tmp_path):
    content = {"version": 1}
    fails = failing("cannot be clustered")

    with pytest.raises(UserError):
        run_phase(tmp_path, "clustering", "Phase", content, fails)
    with pytest.raises(UserError, match="cannot be clustered"):
        run_phase(tmp_path, "clustering", "Phase", content, fails, first=False)
    found = run_phase(tmp_path, "clustering", "Phase", content, lambda directory: {"seconds": 2})
    assert run_phase(tmp_path, "clustering", "Phase", content, fails, first=False).record == {"seconds": 2}
    assert found.record == {"seconds": 2}


def test_a_failure_of_an_earlier_job_does_not_part_the_processes(tmp_path):
    """Both jobs of a sweep train the same phase 1, which diverges in the first job."""
    content, met, errors = {"version": 2}, threading.Barrier(2, timeout=900), []

    def diverges(directory):
        met.wait()
        raise UserError("Training diverged")

    def job(work, first):
        try:
            return run_phase(tmp_path, "attention", "Phase", content, work, first=first, together=True).record
        except UserError as error:
            errors.append(str(error))

    def program(first, found):
        job(diverges, first)
        if first:
            time.sleep(0.2)  # the others have come to the next job meanwhile
        found.append(job(lambda directory: (met.wait() and None) or {"seconds": 3}, first))

    found = []
    threads = [threading.Thread(target=program, args=(first, found)) for first in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=900)
    assert errors == ["Training diverged"] * 2
    assert found == [{"seconds": 3}] * 2


def test_who_comes_late_learns_of_its_own_failure(tmp_path):
    """The first process has failed, and is at work on the phase for the next job, when another comes to it."""
    content, at_work, go_on = {"version": 3}, threading.Event(), threading.Event()
    fails = failing("cannot be clustered")

    def works(directory):
        at_work.set()
        go_on.wait(timeout=900)
        return {"seconds": 4}

    def first():
        with pytest.raises(UserError):
            run_phase(tmp_path, "clustering", "Phase", content, fails, together=True)
        run_phase(tmp_path, "clustering", "Phase", content, works, together=True)

    thread = threading.Thread(target=first)
    thread.start()
    at_work.wait(timeout=900)
    with pytest.raises(UserError, match="cannot be clustered"):
        run_phase(tmp_path, "clustering", "Phase", content, works, first=False, together=True)
    go_on.set()
    thread.join(timeout=900)
    assert run_phase(tmp_path, "clustering", "Phase", content, fails, first=False).record == {"seconds": 4}


def test_the_next_start_of_the_same_name_does_not_meet_old_notes(tmp_path):
    """torchrun names its programs alike: rank 1 must not take the failure of yesterday for today's."""
    content = {"version": 4}
    fails = failing("out of memory")

    with pytest.raises(UserError):
        run_phase(tmp_path, "attention", "Phase", content, fails, together=True)
    processes._attempts.clear()  # as in new processes
    assert run_phase(tmp_path, "attention", "Phase", content, lambda directory: {"seconds": 5}).record == {"seconds": 5}
    assert run_phase(tmp_path, "attention", "Phase", content, fails, first=False).record == {"seconds": 5}


def test_a_start_by_torchrun_on_one_machine_is_told_from_the_next(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "none", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    named = []
    for parent in (1, 2):
        monkeypatch.delenv(processes.OURS)
        monkeypatch.setattr(processes.os, "getppid", lambda parent=parent: parent)
        named.append(program())
    assert named[0] != named[1]


def test_who_comes_late_to_a_phase_that_was_finished_after_all(tmp_path):
    """Its job was given up by the first process, though the next job has finished that phase."""
    content = {"version": 5}
    fails = failing("no space left")

    with pytest.raises(UserError):
        run_phase(tmp_path, "clustering", "Phase", content, fails)
    run_phase(tmp_path, "clustering", "Phase", content, lambda directory: {"seconds": 6})
    with pytest.raises(UserError, match="no space left"):
        run_phase(tmp_path, "clustering", "Phase", content, fails, first=False)
    assert run_phase(tmp_path, "clustering", "Phase", content, fails, first=False).record == {"seconds": 6}
