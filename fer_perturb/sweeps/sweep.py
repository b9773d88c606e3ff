"""Runs the jobs of a sweep that are not finished, each in a process of its own, several at once."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fer_perturb.command_line.composed import Composed
from fer_perturb.command_line.entry_point import Stopped
from fer_perturb.errors import UserError
from fer_perturb.experiment.precision import device_type
from fer_perturb.runs.run_directory import read_summary
from fer_perturb.sweeps.job import Job
from fer_perturb.sweeps.plan import planned
from fer_perturb.sweeps.processes import Process, end_all
from fer_perturb.sweeps.show import Screen
from fer_perturb.sweeps.speed import Speeds

POLL = 0.1  # seconds

Run = tuple[Path, dict[str, Any]]


def sweep(
    composed: Sequence[Composed], asked: int | None, trainer: dict[str, Any], *, dry_run: bool
) -> tuple[list[Run], bool]:
    """The runs of the jobs that are or have been finished, and whether any has failed.

    Says first what there is to do, and in a dry run no more. asked: how many jobs at once (None: `workers_for`
    decides). trainer: conf/trainer. Raises UserError for a number of jobs that cannot be.
    """
    gpus = gpus_for(trainer)
    workers = workers_for(asked, trainer, gpus)
    threads = threads_for(workers)
    speeds = Speeds(threads)
    jobs = planned(composed, speeds)
    screen = Screen(jobs, workers)
    by = "a measured step of each kind" if speeds.measured else "finished runs of their kind"
    screen.plan(_shares(workers, threads, len(gpus)), by=by, each=dry_run)
    if not dry_run:
        _run([job for job in jobs if job.summary is None and not job.failure], workers, threads, gpus, screen)
    screen.failures()
    done = [(job.directory, job.summary) for job in jobs if job.summary is not None and not dry_run]
    return done, any(job.failure for job in jobs)


def _shares(workers: int, threads: int, gpus: int) -> str:
    among = f", on {gpus} GPUs" if gpus > 1 else ""
    return f"{workers} at a time{among}, {threads} thread{'s' * (threads > 1)} each"


def _run(jobs: Sequence[Job], workers: int, threads: int, gpus: Sequence[str], screen: Screen) -> None:
    waiting, running = list(jobs), list[Process]()
    try:
        while waiting or running:
            while len(running) < workers and (job := next_of(waiting, [one.job for one in running])):
                place = min(set(range(workers)) - {one.place for one in running})
                running.append(Process(job, place, threads, gpus[place % len(gpus)] if gpus else None))
                waiting.remove(job)
                screen.started(job, waiting, running)
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                _ended(one)
                screen.ended(one.job, waiting, running)
            time.sleep(POLL)
    except Stopped as stopped:
        screen.stopping(len(running))
        end_all(running, stopped.number)
        raise
    except BaseException:
        end_all(running, 0)
        raise


def _ended(one: Process) -> None:
    one.job.took, one.job.failure = one.seconds, one.failure()
    if not one.job.failure:
        try:
            one.job.summary = read_summary(one.job.directory, "run")
        except UserError as error:
            one.job.failure = str(error)


def next_of(waiting: Sequence[Job], running: Sequence[Job]) -> Job | None:
    """The first job that need not wait for another: for its members, a phase 1 that is being made, or the same job."""
    unfinished = {job.directory for job in (*waiting, *running)}
    busy = {job.directory for job in running}
    made = {job.phase_1 for job in running if job.lacks_phase_1}
    for job in waiting:
        if not (job.members & unfinished or job.directory in busy or job.phase_1 in made):
            return job
    return None


def gpus_for(trainer: dict[str, Any]) -> list[str]:
    """The GPUs among which jobs are divided; none where a job takes several, or none."""
    if trainer["devices"] != 1 or device_type(str(trainer["accelerator"])) != "cuda":
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]


def workers_for(asked: int | None, trainer: dict[str, Any], gpus: Sequence[str]) -> int:
    """How many jobs at once: as many as were asked for, or one a GPU; on the CPU two (docs/sweeps.md: measured)."""
    if asked is None:
        on_cpu = trainer["devices"] == 1 and device_type(str(trainer["accelerator"])) == "cpu"
        return len(gpus) or (min(2, cores()) if on_cpu else 1)
    if not isinstance(asked, int) or asked < 1:
        raise UserError(f"launcher.workers={asked}: expected null, or a whole number of jobs at once.")
    return asked


def threads_for(workers: int) -> int:
    """Of each job: the cores, divided among the jobs, unless OMP_NUM_THREADS says otherwise."""
    return int(os.environ.get("OMP_NUM_THREADS") or max(1, cores() // workers))


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
