"""Gives the jobs of a sweep that are neither done nor at work to an engine."""

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_perturb.checked import made
from fer_perturb.command_line.composed import Composed
from fer_perturb.sweeps.engines import Engine
from fer_perturb.sweeps.job import Job
from fer_perturb.sweeps.plan import planned
from fer_perturb.sweeps.show import Screen
from fer_perturb.sweeps.status import at_work
from fer_perturb.sweeps.submitted import Sent, Submitted, new_folder


def submit(
    composed: Sequence[Composed],
    words: list[str],
    outputs: Path,
    engine: dict[str, Any],
    trainer: dict[str, Any],
    *,
    dry_run: bool,
) -> bool:
    """Whether any job cannot work.

    Says first what there is to do, and in a dry run no more. words: of `train` for the whole sweep. engine and trainer:
    conf/engine and conf/trainer. Raises UserError for an engine that there is not, or that refuses the jobs.
    """
    chosen: Engine = made(engine, "engine")
    jobs = planned(composed, speeds=None)
    busy = at_work(outputs)
    screen = Screen(jobs, workers=1)
    screen.plan(chosen.shares, by=None, each=dry_run)
    for job in jobs:
        if tuple(job.words) in busy:
            screen.line(busy[tuple(job.words)], job, "submitted before")
    new = [job for job in jobs if job.summary is None and not job.failure and tuple(job.words) not in busy]
    if new and not dry_run:
        sweep = Submitted(new_folder(outputs), chosen.name, words, Path.cwd(), sent(new))
        give(sweep, chosen, trainer)
        print(f"Submitted: {len(new)}. Where they are: python -m fer_perturb.submit action=status{_where(outputs)}")
        print(f"Their tables, once they are done: {sweep.command}")
    screen.failures()
    return any(job.failure for job in jobs)


def give(sweep: Submitted, engine: Engine, trainer: dict[str, Any]) -> None:
    """Gives the jobs to the engine, and notes those that it has taken, even where it refuses others."""
    sweep.write()
    names: dict[int, str] = {}
    try:
        for name in engine.submit(sweep, trainer):
            names.update([name])
    finally:
        if names:
            sweep.only([job for job in sweep.jobs if job.number in names]).known_as(names).write()
        else:
            shutil.rmtree(sweep.folder)


def _where(outputs: Path) -> str:
    return "" if outputs == Path("outputs") else f" paths.outputs={shlex.quote(str(outputs))}"


def sent(jobs: Sequence[Job]) -> list[Sent]:
    """What of the jobs is submitted."""
    made_by = {job.directory: job.number for job in jobs}
    return [
        Sent(job.number, job.told, job.words, sorted(made_by[member] for member in job.members if member in made_by))
        for job in jobs
    ]
