"""A job as a cluster runs it: in a process of its own beside a keeper, which notes what becomes of it."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout

from fer_perturb.files import write_json
from fer_perturb.locks import is_held, lock_at
from fer_perturb.sweeps.job import Job
from fer_perturb.sweeps.processes import Process, end_all

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

STATE, LOCK = "state.json", ".lock"
WAITING, RUNNING, AGAIN, DONE, FAILED, LOST = "waiting", "running", "begins again", "done", "FAILED", "lost"
ENDED = (DONE, FAILED, LOST)
POLL = 0.2  # seconds
SOON = 5.0  # seconds in which another keeper of the same job will have ended


@dataclass(frozen=True)
class Places:
    """So many places for jobs on one machine, those of other sweeps included. gpus: among which they are divided."""

    folder: Path
    count: int
    gpus: tuple[str, ...] = ()

    @contextmanager
    def one(self) -> Iterator[int]:
        """The number of a place, once there is one."""
        locks = [lock_at(self.folder / f"{number}.lock") for number in range(self.count)]
        while True:
            for number, lock in enumerate(locks):
                try:
                    lock.acquire(blocking=False)
                except Timeout:
                    continue
                try:
                    yield number
                finally:
                    lock.release()
                return
            time.sleep(POLL)


@dataclass(eq=False)
class Task:
    """A job, to be called where it runs; it raises nothing: how it ended stands in `folder`, and what it printed.

    folder: its own. home: where the command was typed. needs: folders of jobs that must have ended, where the cluster
    does not see to that. places: where the cluster does not see to that either.
    """

    number: int
    told: str
    words: list[str]
    folder: Path
    home: Path
    threads: int
    needs: tuple[Path, ...] = ()
    places: Places | None = None
    process: Process | None = field(default=None, init=False)

    def __call__(self) -> None:
        while not all(state_of(folder)["state"] in ENDED for folder in self.needs):
            time.sleep(POLL)
        with self.places.one() if self.places else nullcontext(0) as place, self._held():
            self._note(RUNNING, attempts=_noted(self.folder).get("attempts", 0) + 1, pid=os.getpid())
            gpus = self.places.gpus if self.places else ()
            job = Job(self.number, self.told, self.words, self.folder)
            gpu = gpus[place % len(gpus)] if gpus else None
            self.process = process = Process(job, place, self.threads, gpu, self.home)
            try:
                while process.process.poll() is None:
                    time.sleep(POLL)
                failure = process.failure()
                self._note(FAILED if failure else DONE, error=failure, seconds=round(process.seconds, 1))
            finally:
                end_all([process], signal.SIGTERM)

    def checkpoint(self) -> "DelayedSubmission":
        """Ends the job before its time is over, or for one that comes first; what submitit calls, and then requeues."""
        from submitit.helpers import DelayedSubmission

        if self.process:
            end_all([self.process], signal.SIGTERM)
            self.process = None
            self._note(AGAIN)
        return DelayedSubmission(self)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """While it is at work it has a lock, by which others see that it is."""
        lock = lock_at(self.folder / LOCK)
        with suppress(Timeout):  # of a keeper that was killed on another host; the phases have locks of their own
            lock.acquire(timeout=SOON)
        try:
            yield
        finally:
            lock.release()

    def _note(self, state: str, **more: Any) -> None:
        noted = _noted(self.folder)
        write_json(self.folder / STATE, {**noted, "state": state, "host": socket.gethostname(), **more})


def state_of(folder: Path) -> dict[str, Any]:
    """What a task has noted of itself: `state`, `host`, `pid` (its keeper's), `attempts`, `error`, `seconds`."""
    noted = _noted(folder)
    if noted["state"] == RUNNING and not is_held(folder / LOCK):
        noted = _noted(folder)  # it may have ended just now
        if noted["state"] == RUNNING:
            noted["state"] = LOST
    return noted


def _noted(folder: Path) -> dict[str, Any]:
    try:
        noted: dict[str, Any] = json.loads((folder / STATE).read_text())
        return noted
    except (OSError, ValueError):
        return {"state": WAITING}
