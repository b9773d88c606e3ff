"""A job's own process: how it is started, how several share the machine, and why one has failed."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import fer_perturb
from fer_perturb.command_line.parent import bound
from fer_perturb.sweeps.job import Job

AT_A_TERMINAL = 3.0  # seconds that a process has to end by the Ctrl-C that it has got itself
PATIENCE = 30.0  # and by the signal that we send
BY_SLURM = "SLURM_NTASKS"  # by which Lightning takes a process for one of several that Slurm has started
TAIL = 200_000  # bytes of a log in which an error is looked for


class Process:
    """A job at work, with its share of cores and GPUs. It ends with this process (command_line/parent.py).

    place: which of the places on this machine it has taken. home: where it is started, if not here; it then gets no
    signal that a cluster sends to this process and all that it has started.
    """

    def __init__(self, job: Job, place: int, threads: int, gpu: str | None, home: Path | None = None) -> None:
        self.job, self.place, self.started = job, place, time.monotonic()
        job.directory.mkdir(parents=True, exist_ok=True)
        words = list(job.words)
        if not any("trainer.enable_progress_bar=" in word for word in words):
            words.append("trainer.enable_progress_bar=false")  # into a file
        with job.log.open("ab") as log:
            log.write(f"$ {command(job)}\n".encode())
            log.flush()
            self.begins = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fer_perturb.train", *words],
                stdin=subprocess.PIPE,  # held, so that the job ends with this process
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(threads, gpu),
                cwd=home,
                start_new_session=home is not None,
            )

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def failure(self) -> str:
        """The first line of its error; an empty string where it has ended well. It must have ended."""
        if self.process.returncode == 0:
            return ""
        with self.job.log.open("rb") as log:
            log.seek(max(self.begins, self.job.log.stat().st_size - TAIL))
            return first_line_of(self.process.returncode, log.read().decode(errors="replace"))


def command(job: Job) -> str:
    """What runs a job alone, to be typed."""
    return shlex.join(["python", "-m", "fer_perturb.train", *job.words])


def first_line_of(status: int, log: str) -> str:
    """Why a process has failed, from its exit status (negative: a signal) and what it has printed."""
    if status < 0:
        name = signal.Signals(-status).name
        return f"Killed by {name}{' (is there memory enough?)' if name == 'SIGKILL' else ''}"
    _, traced, after = log.rpartition("Traceback (most recent call last):\n")
    if traced and (raised := re.search(r"^\S.*", after, re.MULTILINE)):
        return raised[0]
    if told := re.findall(r"^Error: (.*)", log, re.MULTILINE):
        return str(told[-1])
    return f"Ended with exit status {status}, without a word"


def end_all(processes: Iterable[Process], number: int) -> None:
    """Ends processes that are to stop: by the signal that the sweep has got, and by force where that does not help."""
    left = [one.process for one in processes]
    if number == signal.SIGINT:
        left = _still_there(left, AT_A_TERMINAL)
    for wait, end in ((PATIENCE, signal.SIGTERM), (PATIENCE, signal.SIGKILL)):
        for process in left:
            process.send_signal(end)
        left = _still_there(left, wait)


def _still_there(processes: list["subprocess.Popen[bytes]"], patience: float) -> list["subprocess.Popen[bytes]"]:
    deadline = time.monotonic() + patience
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    return [process for process in processes if process.poll() is None]


def _environment(threads: int, gpu: str | None) -> dict[str, str]:
    given = {
        "COLUMNS": "150",
        "OMP_NUM_THREADS": str(threads),
        "PYTHONFAULTHANDLER": "1",  # even what crashes says where
        **bound(),
        "PYTHONPATH": os.pathsep.join(
            [str(Path(fer_perturb.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
        **({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}),
    }
    return {**{name: value for name, value in os.environ.items() if name != BY_SLURM}, **given}
