"""The trials of a search, without any training: shared, resumed, failed."""

from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.pruners import MedianPruner
from optuna.trial import TrialState

from fer_perturb.errors import UserError
from fer_perturb.searching.study import Trials

SPACE = {"lr": FloatDistribution(0.001, 0.1, log=True), "views": CategoricalDistribution(("all", "sample"))}


def trials(directory: Path, seed: int = 0) -> Trials:
    return Trials(directory, "of-a-test", dict(SPACE), seed, MedianPruner(n_startup_trials=1))


def run(of: Trials, most: int) -> list[dict]:
    """The points of those that are made until there are `most`; the best has the highest learning rate."""
    points = []
    while True:
        with of.next(most) as trial:
            if trial is None:
                return points
            points.append(trial.params)
            of.end(trial, trial.params["lr"])


class Killed(BaseException):
    """The process that made the trial is gone."""


def kill(of: Trials, most: int, *reported: float) -> dict:
    """A trial that never ends; its point."""
    try:
        with of.next(most) as trial:
            assert trial is not None
            for epoch, value in enumerate(reported):
                trial.report(value, epoch)
            raise Killed
    except Killed:
        return dict(trial.params)


def test_draws_follow_from_the_seed_however_often_it_is_resumed(tmp_path: Path) -> None:
    """Those at random, of which TPE makes ten, and those that it infers from the first."""
    whole = run(trials(tmp_path / "whole"), 14)
    pieces = [point for most in (1, 3, 11, 14) for point in run(trials(tmp_path / "pieces"), most)]
    assert pieces == whole
    assert len({point["lr"] for point in whole}) == 14
    assert run(trials(tmp_path / "other", seed=1), 2) != whole[:2]
    assert run(trials(tmp_path / "whole"), 14) == []


def test_processes_at_once_share_the_trials(tmp_path: Path) -> None:
    first, second = trials(tmp_path), trials(tmp_path)
    with first.next(2) as one, second.next(2) as other:
        assert one is not None
        assert other is not None
        assert (one.number, other.number) == (0, 1)
        assert one.params != other.params
        with trials(tmp_path).next(2) as none:
            assert none is None
        assert trials(tmp_path).counted == "2 at work"
        first.end(one, 0.5)
        second.end(other, 0.6)
    assert first.counted == "2 finished"
    assert first.best.number == 1


def test_what_was_killed_is_begun_again_and_does_not_count(tmp_path: Path) -> None:
    lost = kill(trials(tmp_path), 3, 0.1, 0.2)
    again = trials(tmp_path)
    with again.next(3) as trial:
        assert trial is not None
        assert trial.params == lost
        assert again.values_before(trial) == {0: 0.1, 1: 0.2}
        with trials(tmp_path).next(3) as other:  # that one is being worked on
            assert other is not None
            assert other.params != lost
            assert again.values_before(other) == {}
            again.end(other, 0.1)
        again.end(trial, 0.3)
    run(again, 3)
    assert again.counted == "3 finished"
    assert [one.state for one in again.study.trials].count(TrialState.FAIL) == 1


def test_what_fails_is_told_and_the_search_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of = trials(tmp_path)
    with of.next(2):
        raise RuntimeError("CUDA error: out of memory\nand so on")
    assert "Trial 0 failed: CUDA error: out of memory." in capsys.readouterr().out
    failed = of.study.trials[0]
    assert failed.state == TrialState.FAIL
    assert "RuntimeError" in failed.user_attrs["traceback"]
    with pytest.raises(UserError, match="No trial of of-a-test has finished"):
        _ = of.best
    assert len(run(trials(tmp_path), 2)) == 1  # it counts, and is not tried again
    assert of.counted == "1 finished, 1 failed"


def test_what_concerns_all_trials_ends_the_search(tmp_path: Path) -> None:
    of = trials(tmp_path)
    with pytest.raises(OSError, match="full"), of.next(2):
        raise OSError(28, "the disk is full")
    assert len(run(of, 2)) == 2


def test_a_torn_line_is_dropped_and_a_damaged_journal_is_said(tmp_path: Path) -> None:
    run(trials(tmp_path), 2)
    journal = tmp_path / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"wor')
    assert len(run(trials(tmp_path), 3)) == 1
    assert journal.read_bytes().startswith(whole)
    journal.write_bytes(b"no json\n" + whole)
    with pytest.raises(UserError, match=r"journal\.log is damaged"):
        trials(tmp_path)


def test_a_trial_below_the_median_is_ended_early(tmp_path: Path) -> None:
    of = trials(tmp_path)
    for value, early in ((0.5, False), (0.4, True), (0.6, False)):
        with of.next(3) as trial:
            assert trial is not None
            trial.report(value, 0)
            assert trial.should_prune() == early
            of.end(trial, None if early else value)
    assert of.counted == "2 finished, 1 ended early"
