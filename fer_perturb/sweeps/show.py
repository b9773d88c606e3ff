"""What a sweep tells: what there is to do, a line when a job starts or ends, and what has failed."""

import sys
from collections.abc import Mapping, Sequence
from textwrap import shorten

from fer_perturb.sweeps.job import Job
from fer_perturb.sweeps.processes import Process, command

WIDTH = 100  # of an error, in the line that tells of it first


def show_axes(count: int, axes: Mapping[str, Sequence[str]]) -> None:
    """What the jobs differ in."""
    product = " x ".join(f"{key} ({len(values)})" for key, values in axes.items())
    _say(f"Sweep of {count} job{'s' * (count != 1)}{f': {product}' if product else ''}")
    for key, values in axes.items():
        _say(f"  {key}: {', '.join(values)}")


class Screen:
    """Lines, which a terminal shows as well as a file. workers: jobs at once."""

    def __init__(self, jobs: Sequence[Job], workers: int) -> None:
        self.jobs, self.workers = jobs, workers

    def plan(self, shares: str, *, by: str | None, each: bool) -> None:
        """What there is to do. shares: how the jobs divide the machines. by: what the minutes follow from, if told.

        each: a line for what every job will cost; else only for those that are done or cannot work.
        """
        for job in self.jobs:
            if job.summary is not None:
                self.line("done before", job, str(job.directory))
            elif job.failure:
                self.line("cannot work", job)
            elif each:
                minutes = f", about {spoken(job.seconds)}" if by else ""
                self.line("to be run", job, f"{job.flops / 1e15:.4f} PFLOP{minutes}")
        rest = [job for job in self.jobs if job.summary is None and not job.failure]
        done = sum(job.summary is not None for job in self.jobs)
        told = f"{done} done, {len(rest)} to be run"
        if rest:
            minutes = f", about {spoken(self._left(rest))} by {by}" if by else ""
            told += f": {sum(job.flops for job in rest) / 1e15:.4f} PFLOP in training{minutes}; {shares}"
        _say(f"{told}.")

    def started(self, job: Job, waiting: Sequence[Job], running: Sequence[Process]) -> None:
        self.line("running", job, self._time_left(waiting, running))

    def ended(self, job: Job, waiting: Sequence[Job], running: Sequence[Process]) -> None:
        if job.failure:
            self.line("FAILED", job, shorten(job.failure, WIDTH, placeholder=" …"))
        else:
            self.line("done", job, f"in {spoken(job.took)}; {self._time_left(waiting, running)}")

    def stopping(self, count: int) -> None:
        done = sum(job.summary is not None for job in self.jobs)
        _say(f"\n{done} of {len(self.jobs)} jobs are done. Those at work are being ended: {count}.")

    def failures(self) -> None:
        """Each failed job's command, the first line of its error, and where the rest of it lies."""
        failed = [job for job in self.jobs if job.failure]
        if failed:
            of = f"{len(failed)} of {len(self.jobs)} jobs"
            print(f"\nFailed: {of}. The same command tries them again.", file=sys.stderr)
        for job in failed:
            print(f"  {command(job)}\n      Error: {job.failure}", file=sys.stderr)
            if job.log.is_file():
                print(f"      {job.log}", file=sys.stderr)

    def line(self, state: str, job: Job, more: str = "") -> None:
        """What a job is at."""
        number = f"{job.number:>{len(str(len(self.jobs)))}}/{len(self.jobs)}"
        _say(f"{number} {state:<11} {job.told}{f': {more}' if more else ''}")

    def _time_left(self, waiting: Sequence[Job], running: Sequence[Process]) -> str:
        begun = sum(max(0.0, one.job.seconds - one.seconds / self._slowness) for one in running)
        return f"about {spoken((self._left(waiting) + begun / self.workers) * self._slowness)} left"

    def _left(self, jobs: Sequence[Job]) -> float:
        return sum(job.seconds for job in jobs) / self.workers

    @property
    def _slowness(self) -> float:
        """How many times as long as expected this sweep's jobs have taken."""
        ended = [job for job in self.jobs if job.took and not job.failure]
        expected = sum(job.seconds for job in ended)  # 0 where nobody could say
        return sum(job.took for job in ended) / expected if expected else 1.0


def spoken(seconds: float) -> str:
    """A duration, in the unit that fits."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _say(line: str) -> None:
    print(line, flush=True)
