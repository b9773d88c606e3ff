import errno
import subprocess
import sys
import weakref

import pytest
from composing import small

from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.runs.phase_cache import content_key, link_into, run_phase
from fer_perturb.tasks.chain import Chain


def test_the_same_content_is_found_again(tmp_path):
    calls = []

    def work(directory):
        calls.append(directory)
        (directory / "weights").write_text("w")
        return {"seconds": 1.5}

    first = run_phase(tmp_path, "attention", "Phase 1", {"a": 1}, work)
    again = run_phase(tmp_path, "attention", "Phase 1", {"a": 1}, work)
    other = run_phase(tmp_path, "attention", "Phase 1", {"a": 2}, work)
    assert len(calls) == 2
    assert (first.cached, again.cached, other.cached) == (False, True, False)
    assert first.record == again.record == {"seconds": 1.5}
    assert (again.directory / "weights").read_text() == "w"
    assert again.summary == {"key": first.key, "cached": True, "seconds": 1.5}


def test_an_interrupted_phase_goes_on_with_its_files(tmp_path):
    def breaks(directory):
        (directory / "checkpoint").write_text("half")
        raise RuntimeError("stopped")

    def goes_on(directory):
        return {"found": (directory / "checkpoint").read_text()}

    with pytest.raises(RuntimeError):
        run_phase(tmp_path, "predictor", "Phase 3", {"a": 1}, breaks)
    result = run_phase(tmp_path, "predictor", "Phase 3", {"a": 1}, goes_on)
    assert not result.cached
    assert result.record == {"found": "half"}


def test_the_key_does_not_depend_on_the_order_of_keys():
    assert content_key({"a": 1, "b": [2]}) == content_key({"b": [2], "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 1.5})


def test_a_run_stands_alone(tmp_path):
    def work(directory):
        (directory / "predictions").mkdir()
        (directory / "predictions" / "x.parquet").write_text("p")
        return {}

    result = run_phase(tmp_path / "cache", "predictor", "Phase 3", {}, work)
    link_into(result, tmp_path / "run")
    for file in result.directory.rglob("*.parquet"):
        file.unlink()
    assert (tmp_path / "run" / "predictions" / "x.parquet").read_text() == "p"


def test_a_finished_phase_is_forgotten(data_directory, tmp_path):
    """Its trainer, task and optimiser do not lie in memory beside the next phase's."""
    config = small(data_directory, tmp_path, "scheme=perturb")
    seen = []
    chain = Chain(open_experiment(config), lambda phase: seen.append(weakref.ref(phase.task)))
    chain.attention.finish()
    assert [task() for task in seen] == [None]


# two programs that want the same phase

HOLDER = """
import fcntl, os, sys, time
from pathlib import Path

{without_flock}
from fer_perturb.runs.phase_cache import run_phase

def work(directory):
    (directory / "checkpoint").write_text("half")
    print("begun", flush=True)
    time.sleep(600)

run_phase(Path(sys.argv[1]), "attention", "Phase 1", {{"a": 1}}, work)
"""
NO_FLOCK = """
def flock(*given):
    raise OSError(errno.ENOLCK, "No locks available")
import errno
fcntl.flock = flock
"""  # as on NFS without its lock service


def second(directory):
    """What the program that waits does once it may."""
    return {"found": (directory / "checkpoint").read_text()}


def without_flock(monkeypatch, number=errno.ENOLCK):
    """The file system of this process has none, so that locks are files that may survive their holder."""

    def flock(*given):
        raise OSError(number, "no flock here")

    monkeypatch.setattr("fcntl.flock", flock)


@pytest.mark.slow
@pytest.mark.parametrize("flock", [True, False], ids=["flock", "no flock"])
def test_a_maker_that_is_killed_is_followed_by_the_one_that_waits(tmp_path, monkeypatch, capsys, flock):
    monkeypatch.setattr("fer_perturb.runs.phase_cache.PATIENCE", 0.01)
    if not flock:
        without_flock(monkeypatch)
    script = HOLDER.format(without_flock="" if flock else NO_FLOCK)
    maker = subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert "begun" in [maker.stdout.readline().strip() for _ in range(2)]

        def tell(text):
            print(text)
            maker.kill()
            maker.wait()  # until then its parent, this process, keeps its number alive

        monkeypatch.setattr("fer_perturb.runs.phase_cache.say", tell)
        result = run_phase(tmp_path, "attention", "Phase 1", {"a": 1}, second)
    finally:
        maker.kill()
        maker.wait()
    assert (result.cached, result.record) == (False, {"found": "half"})
    told = capsys.readouterr().out
    assert "Phase 1: waits for another program, which is making it" in told
    assert (f"(process {maker.pid} on " in told) == (not flock)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_another_host_s_lock_is_not_broken_but_told(tmp_path, monkeypatch, capsys, number):
    """Nobody here can know whether that process lives."""
    monkeypatch.setattr("fer_perturb.runs.phase_cache.PATIENCE", 0.01)
    without_flock(monkeypatch, number)
    lock = tmp_path / "attention" / f"{content_key({'a': 1})}.lock"
    lock.parent.mkdir()
    lock.write_text("4194304\nanother-host\n")
    monkeypatch.setattr("fer_perturb.runs.phase_cache.say", lambda text: (print(text), lock.unlink()))
    assert not run_phase(tmp_path, "attention", "Phase 1", {"a": 1}, lambda _: {}).cached
    told = capsys.readouterr().out
    assert f"(process 4194304 on another-host; if that is no longer there, remove {lock})" in told
