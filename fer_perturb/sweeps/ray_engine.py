"""Ray runs submitted jobs, for those who have a cluster of it already (conf/engine/ray.yaml)."""

import logging
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from pydantic.dataclasses import dataclass

from fer_perturb.checked import STRICT
from fer_perturb.errors import UserError, first_line
from fer_perturb.locks import lock_at
from fer_perturb.sweeps.engines import Many, Some, share
from fer_perturb.sweeps.submitted import KEEPER, Submitted, read_submitted
from fer_perturb.sweeps.task import Task

NAMESPACE = "fer_perturb"


@dataclass(frozen=True, config=STRICT)
class Ray:
    """Ray's tasks, which are tried again where their worker dies. gpus, cpus, memory (GB): of a job."""

    name: ClassVar[str] = "ray"
    address: str
    gpus: Many
    cpus: Some
    memory: Some | None

    @property
    def shares(self) -> str:
        return f"as many at a time as Ray finds room for, {share(self.cpus, self.gpus, self.memory)}"

    def submit(self, sweep: Submitted, trainer: dict[str, Any]) -> Iterator[tuple[int, str]]:
        if find_spec("ray") is None:
            raise UserError("engine=ray needs Ray: pip install 'fer_perturb[ray]'.")
        import ray

        try:
            ray.init(self.address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(
                f"engine.address={self.address}: there is no cluster of Ray's ({first_line(error)}) Start one with "
                "ray start, or see engine=local."
            ) from error
        try:
            stays = {"lifetime": "detached", "max_restarts": -1, "num_cpus": 0}
            of_a_job = {"num_cpus": self.cpus, "num_gpus": self.gpus}
            of_a_job |= {"memory": self.memory * 2**30} if self.memory else {}
            actor: Any = ray.remote(Keeper).options(name=sweep.folder.name, **stays)
            ray.get(actor.remote(str(sweep.folder), self.cpus, of_a_job).begun.remote())
        finally:
            ray.shutdown()
        yield from ((job.number, sweep.folder.name) for job in sweep.jobs)


class Keeper:
    """An actor that stays in the cluster when whoever submitted has gone: it begins the jobs, and ends with the last.

    An ensemble's job waits for its members'. Where the keeper's node dies it begins again on another, and so do the
    jobs; those that are done find it out in seconds.
    """

    def __init__(self, folder: str, threads: int, of_a_job: dict[str, Any]) -> None:
        import ray

        sweep = read_submitted(Path(folder))
        run = ray.remote(max_retries=-1, **of_a_job)(call)
        ends: dict[int, Any] = {}
        members_first = sorted(zip(sweep.jobs, sweep.tasks(threads), strict=True), key=lambda both: bool(both[0].needs))
        for job, task in members_first:
            ends[job.number] = run.remote(task, *(ends[number] for number in job.needs))
        self.held = threading.Event()
        threading.Thread(target=self._keep, args=(sweep.folder / KEEPER, list(ends.values())), daemon=True).start()

    def begun(self) -> bool:
        """Once others see that it is there."""
        return self.held.wait()

    def _keep(self, lock: Path, ends: list[Any]) -> None:
        import ray

        with lock_at(lock):
            self.held.set()
            ray.wait(ends, num_returns=len(ends))
        ray.kill(ray.get_runtime_context().current_actor)


def call(task: Task, *needs: None) -> None:
    """A task of Ray's, which begins once those that it needs have ended."""
    task()
