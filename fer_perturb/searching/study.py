"""The trials of a search in a file that several processes share, and that outlives each of them."""

import json
import os
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from filelock import BaseFileLock, Timeout
from optuna.pruners import BasePruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from fer_perturb.errors import UserError, first_line, warn
from fer_perturb.experiment.experiment import Experiment
from fer_perturb.experiment.identity import decisive
from fer_perturb.files import UnwritableError
from fer_perturb.locks import lock_at
from fer_perturb.runs.phase_cache import content_key
from fer_perturb.searching.sampler import AGAIN, SeededByTrial
from fer_perturb.searching.space import Space

JOURNAL = "journal.log"
REASON = "reason"  # of a trial that failed: why; those that were killed could not say
WORDS = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "ended early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "at work",
}


class Trials:
    """A study of Optuna's in `directory`/journal.log, which begins or goes on.

    space: key -> distribution. seed: of what is drawn. pruner: None = no trial is ended early.
    Raises UserError for a journal that is damaged.
    """

    def __init__(self, directory: Path, name: str, space: Space, seed: int, pruner: BasePruner | None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.locks, self.name, self.space = directory / ".locks", name, space
        self.locks.mkdir(exist_ok=True)
        self.lock = lock_at(self.locks / f"{name}.lock")
        self.journal = directory.resolve() / JOURNAL  # Optuna's lock is a link to it
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with lock_at(self.locks / f"{JOURNAL}.lock"):
            drop_torn_line(self.journal)
            try:
                self.study = optuna.create_study(
                    storage=JournalStorage(JournalFileBackend(str(self.journal))),
                    sampler=SeededByTrial(seed),
                    pruner=pruner or optuna.pruners.NopPruner(),
                    study_name=name,
                    direction="maximize",
                    load_if_exists=True,
                )
            except (json.JSONDecodeError, KeyError, ValueError) as error:
                raise UserError(
                    f"{self.journal} is damaged ({first_line(error)}) Move it out of the way to begin anew: trained "
                    "trials are found again."
                ) from error

    @contextmanager
    def next(self, most: int) -> Iterator[optuna.Trial | None]:
        """A trial that nobody else has, until the block ends; None where there are `most`.

        One that was killed is begun again as another with the same point. What fails in the block is told, and the
        trial marked as failed; what fills the disk, or stops this process, passes.
        """
        with self.lock:
            self._again_what_was_killed()
            found = self.study.get_trials(deepcopy=False)
            waiting = any(one.state == TrialState.WAITING for one in found)
            trial = None
            if waiting or sum(not was_killed(one) for one in found) < most:
                trial = self.study.ask(dict(self.space))
                own = self._lock_of(trial.number)
                own.acquire()
        if trial is None:
            yield None
            return
        try:
            yield trial
        except (UnwritableError, OSError):
            raise  # no matter of this trial
        except Exception as error:
            trial.set_user_attr(REASON, first_line(error))
            trial.set_user_attr("traceback", traceback.format_exc())
            self.study.tell(trial, state=TrialState.FAIL)
            warn(f"Trial {trial.number} failed: {first_line(error)}")
        finally:
            own.release()

    def _again_what_was_killed(self) -> None:
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            lock = self._lock_of(trial.number)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue  # somebody is at work on it
            self.study.tell(trial.number, state=TrialState.FAIL)
            self.study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})
            lock.release()

    def _lock_of(self, number: int) -> BaseFileLock:
        return lock_at(self.locks / f"{self.name}-{number}.lock")

    def values_before(self, trial: optuna.Trial) -> dict[int, float]:
        """What was reported of the same point, epoch -> accuracy, by a trial that was killed."""
        earlier = trial.user_attrs.get(AGAIN)
        return {} if earlier is None else self.study.get_trials(deepcopy=False)[earlier].intermediate_values

    def end(self, trial: optuna.Trial, accuracy: float | None) -> None:
        """accuracy: None where the trial was ended early."""
        self.study.tell(trial, accuracy, TrialState.PRUNED if accuracy is None else TrialState.COMPLETE)

    @property
    def counted(self) -> str:
        """How many trials are finished, were ended early, failed, and are still at work, where there are such."""
        found = Counter(one.state for one in self.study.get_trials(deepcopy=False) if not was_killed(one))
        return ", ".join(f"{found[state]} {word}" for state, word in WORDS.items() if found[state])

    @property
    def best(self) -> FrozenTrial:
        """The finished trial of the highest accuracy. Raises UserError where there is none."""
        try:
            return self.study.best_trial
        except ValueError as error:
            raise UserError(f"No trial of {self.name} has finished: {self.counted or 'there is none'}.") from error


def study_name(search: str, of: Experiment, space: Mapping[str, Any], seed: int) -> str:
    """<search>-<dataset>-<model>-<scheme>-<8 hex digits of all that decides what the trials are>."""
    decides = {"settings": decisive(of.settings), "space": space, "seed": seed}
    return "-".join([search, of.data.name, of.network.name, of.scheme.name, content_key(decides)[:8]])


def was_killed(trial: FrozenTrial) -> bool:
    """Whether its process ended before it could say how the trial ended."""
    return trial.state == TrialState.FAIL and REASON not in trial.user_attrs


def drop_torn_line(journal: Path) -> None:
    """Drops the last line where it is not whole: the disk was full, or the power failed."""
    if journal.is_file() and (text := journal.read_bytes()) and not text.endswith(b"\n"):
        os.truncate(journal, text.rfind(b"\n") + 1)
