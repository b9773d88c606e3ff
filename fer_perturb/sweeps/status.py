"""Where the jobs of submitted sweeps are: what each has noted of itself, and what the engine says of the others."""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fer_perturb.errors import UserError
from fer_perturb.locks import is_held
from fer_perturb.sweeps.show import spoken
from fer_perturb.sweeps.submitted import KEEPER, Sent, Submitted, all_submitted
from fer_perturb.sweeps.task import AGAIN, DONE, FAILED, LOST, RUNNING, WAITING

AT_WORK = (WAITING, RUNNING, AGAIN)


@dataclass(frozen=True)
class Standing:
    """Of a job: one of task.py's words, and more about it."""

    state: str
    more: str


def show_status(outputs: Path) -> bool:
    """Prints a line for each job of the sweeps with these outputs that is not done; whether any has failed or is lost.

    What was submitted again is told once. Raises UserError where no sweep was submitted.
    """
    sweeps = latest(all_submitted(outputs))
    if not sweeps:
        raise UserError(f"No sweep was submitted with paths.outputs={outputs}.")
    wrong = False
    for sweep in sweeps:
        found = standings(sweep)
        counted = Counter(one.state for one in found.values())
        counts = ", ".join(f"{counted[state]} {state}" for state in (DONE, *AT_WORK, FAILED, LOST) if counted[state])
        print(f"{sweep.folder.name} {sweep.engine}: {counts}")
        for job in sweep.jobs:
            one = found[job.number]
            if one.state != DONE:
                print(f"  {job.number:>4} {one.state:<12} {job.told}{f': {one.more}' if one.more else ''}")
            if one.state in (FAILED, LOST):
                print(f"       {sweep.folder_of(job.number) / 'job.log'}")
        print(f"  {'Its tables' if set(counted) == {DONE} else 'What is missing'}: {sweep.command}")
        wrong = wrong or bool(counted[FAILED] + counted[LOST])
    return wrong


def at_work(outputs: Path) -> dict[tuple[str, ...], str]:
    """The words of jobs that are waiting or running -> what they are at."""
    return {
        tuple(job.words): found[job.number].state
        for sweep in latest(all_submitted(outputs))
        for found in [standings(sweep)]
        for job in sweep.jobs
        if found[job.number].state in AT_WORK
    }


def latest(sweeps: Sequence[Submitted]) -> list[Submitted]:
    """The sweeps without the jobs that were submitted again since, and those that have others."""
    kept: list[Submitted] = []
    again: set[tuple[str, ...]] = set()
    for sweep in reversed(sweeps):
        left = sweep.only([job for job in sweep.jobs if tuple(job.words) not in again])
        again.update(tuple(job.words) for job in sweep.jobs)
        if left.jobs:
            kept.insert(0, left)
    return kept


def standings(sweep: Submitted) -> dict[int, Standing]:
    """Of each job, by its number."""
    noted = {job.number: sweep.state_of(job) for job in sweep.jobs}
    asked = [job for job in sweep.jobs if noted[job.number]["state"] in (WAITING, AGAIN, LOST)]
    says = _engine_says(sweep, [job for job in asked if job.known_as])
    says |= {job.number: (True, "submit was interrupted before it") for job in asked if not job.known_as}
    found = {}
    for number, of in noted.items():
        state, more = of["state"], ""
        if number in says:  # what it has noted may be of a time before it was killed, and requeued
            gone, more = says[number]
            state = LOST if gone else AGAIN if state == LOST else state
        elif state == RUNNING:
            tries = f", begun {of['attempts']} times" if of["attempts"] > 1 else ""
            more = f"on {of['host']}{tries}"
        elif state == FAILED:
            more = of["error"]
        elif state == DONE:
            more = f"in {spoken(of['seconds'])}"
        found[number] = Standing(state, more)
    return found


def _engine_says(sweep: Submitted, jobs: Sequence[Sent]) -> dict[int, tuple[bool, str]]:
    """Whether a job has gone, and the engine's word; nothing where it does not know."""
    if sweep.engine == "slurm" and shutil.which("sacct") and find_spec("submitit"):
        from submitit.slurm.slurm import SlurmJob

        known = {job.number: SlurmJob[None](sweep.folder, job.known_as) for job in jobs}
        return {number: (job.watcher.is_done(job.job_id), job.state) for number, job in known.items()}  # one call
    if sweep.engine == "local":
        return {job.number: (False, "") if _there(job.known_as) else (True, "its process has gone") for job in jobs}
    if sweep.engine == "ray":
        there = is_held(sweep.folder / KEEPER)
        return {job.number: (False, "") if there else (True, "Ray has gone") for job in jobs}
    return {}


def _there(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass  # somebody else's
    return True
