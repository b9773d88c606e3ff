"""What runs submitted jobs: Slurm, or submitit's own executor on this machine (conf/engine)."""

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import Field
from pydantic.dataclasses import dataclass

from fer_perturb.checked import STRICT
from fer_perturb.errors import UserError, first_line
from fer_perturb.sweeps.submitted import Sent, Submitted
from fer_perturb.sweeps.task import Places

SIGNALLED = 120  # seconds before its time is over that a job is told, and ends
PLACES = "places"  # beside the folders of sweeps

Some = Annotated[int, Field(ge=1)]
Many = Annotated[int, Field(ge=0)]


class Engine(Protocol):
    """Takes the jobs of a sweep and returns at once."""

    name: ClassVar[str]

    @property
    def shares(self) -> str:
        """What each job gets, in words."""

    def submit(self, sweep: Submitted, trainer: dict[str, Any]) -> Iterator[tuple[int, str]]:
        """Takes the jobs, which train with `trainer` (conf/trainer): the number of each, and its own name for it.

        Raises UserError where it cannot.
        """


@dataclass(frozen=True, config=STRICT)
class Slurm:
    """Job arrays of Slurm's, by submitit. gpus, cpus, memory (GB) and time (minutes) are of a job; parallel: how many
    at once; requeues: after so many time-outs a job has failed; sbatch: further words for it."""

    name: ClassVar[str] = "slurm"
    partition: str | None
    account: str | None
    time: Some
    gpus: Many
    cpus: Some
    memory: Some
    parallel: Some
    requeues: Many
    sbatch: dict[str, Any]

    @property
    def shares(self) -> str:
        return f"{self.parallel} at a time, {share(self.cpus, self.gpus, self.memory)}"

    def submit(self, sweep: Submitted, trainer: dict[str, Any]) -> Iterator[tuple[int, str]]:
        require_submitit()
        from submitit.slurm.slurm import SlurmExecutor

        try:
            executor = SlurmExecutor(sweep.folder / self.name, max_num_timeout=self.requeues)
        except RuntimeError as error:
            raise UserError(
                "engine=slurm: there is no srun here. Submit from a machine of the cluster's, or see engine=local."
            ) from error
        free, bound = _apart(sweep.jobs)
        tasks = {task.number: task for task in sweep.tasks(self.cpus)}
        names: dict[int, str] = {}
        for jobs in (free, bound):
            if jobs:
                needed = sorted({names[number] for job in jobs for number in job.needs if number in names})
                after = {"dependency": f"afterany:{':'.join(needed)}"} if needed else {}
                try:
                    executor.update_parameters(**self._parameters(), **after)
                    sent = executor.submit_array([tasks[job.number] for job in jobs])
                except Exception as error:  # whatever sbatch says
                    raise UserError(f"engine=slurm: sbatch refuses the jobs: {first_line(error)}") from error
                names |= {job.number: one.job_id for job, one in zip(jobs, sent, strict=True)}
                yield from ((job.number, names[job.number]) for job in jobs)

    def _parameters(self) -> dict[str, Any]:
        given = {
            "job_name": "fer_perturb",
            "partition": self.partition,
            "account": self.account,
            "time": self.time,
            "ntasks_per_node": 1,
            "cpus_per_task": self.cpus,
            "gpus_per_node": self.gpus or None,
            "mem": f"{self.memory}GB",
            "array_parallelism": self.parallel,
            "signal_delay_s": SIGNALLED,
            "stderr_to_stdout": True,
            "additional_parameters": {"requeue": True, **self.sbatch},
        }
        return {key: value for key, value in given.items() if value is not None}


@dataclass(frozen=True, config=STRICT)
class Local:
    """Processes in the background of this machine, by submitit. workers: jobs at once, of all sweeps that have these
    outputs; None: as many as launcher=local. time: minutes, of waiting, too; after that a job begins again."""

    name: ClassVar[str] = "local"
    workers: Some | None
    time: Some

    @property
    def shares(self) -> str:
        return "in the background of this machine"

    def submit(self, sweep: Submitted, trainer: dict[str, Any]) -> Iterator[tuple[int, str]]:
        require_submitit()
        from submitit.local.local import LocalExecutor

        from fer_perturb.sweeps.sweep import gpus_for, threads_for, workers_for

        gpus = gpus_for(trainer)
        workers = workers_for(self.workers, trainer, gpus)
        folder = sweep.folder.parent / PLACES
        folder.mkdir(exist_ok=True)
        # submitit hides the GPUs from all that it starts
        places = Places(folder, workers, tuple(gpus) or (os.environ.get("CUDA_VISIBLE_DEVICES", _all_gpus()),))
        executor = LocalExecutor(sweep.folder / self.name)
        executor.update_parameters(timeout_min=self.time, signal_delay_s=SIGNALLED, stderr_to_stdout=True)
        for task in sweep.tasks(threads_for(workers), waiting=True, places=places):
            yield task.number, executor.submit_array([task])[0].job_id


def share(cpus: int, gpus: int, memory: int | None) -> str:
    """What a job gets, in words."""
    parts = [f"{count} {what}{'s' * (count != 1)}" for count, what in ((cpus, "core"), (gpus, "GPU")) if count]
    return f"{', '.join([*parts, *([f'{memory} GB'] if memory else [])])} each"


def require_submitit() -> None:
    if find_spec("submitit") is None:
        raise UserError("engine=slurm and engine=local need submitit: pip install 'fer_perturb[slurm]'.")


def _all_gpus() -> str:
    import torch

    return ",".join(map(str, range(torch.cuda.device_count())))


def _apart(jobs: Sequence[Sent]) -> tuple[list[Sent], list[Sent]]:
    """Those that need no other, and those that do."""
    return [job for job in jobs if not job.needs], [job for job in jobs if job.needs]
