"""What a sweep has to do: which jobs are finished, and what the others will cost."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import rich
from omegaconf import DictConfig

from fer_perturb.analysis.ensemble import finished_ensemble
from fer_perturb.analysis.summary import finished_summary
from fer_perturb.command_line.composed import Composed, typed
from fer_perturb.errors import UserError
from fer_perturb.experiment.cost import Plan
from fer_perturb.experiment.ensemble import open_ensemble
from fer_perturb.experiment.experiment import Experiment, open_experiment
from fer_perturb.files import canonical
from fer_perturb.sweeps.job import Job
from fer_perturb.sweeps.processes import BY_SLURM
from fer_perturb.sweeps.show import show_axes
from fer_perturb.sweeps.speed import Speeds
from fer_perturb.tasks.chain import Chain

STARTING = 10.0  # seconds: Python, torch and the data, on a laptop
# what makes no difference to a run's operations
WITHOUT_COST = ("seed", "logger", "paths", "table", "test_on", "launcher", "sweep", "callbacks")


def axes_of(jobs: Sequence[Composed]) -> dict[str, list[str]]:
    """The overrides in which the jobs differ: key -> values."""
    values: dict[str, list[str]] = {}
    for job in jobs:
        for key, _, value in (word.partition("=") for word in job.overrides):
            values.setdefault(key, []).append(value)
    distinct = {key: list(dict.fromkeys(of)) for key, of in values.items()}
    return {key: of for key, of in distinct.items() if len(of) > 1}


def planned(composed: Sequence[Composed], speeds: Speeds | None) -> list[Job]:
    """The jobs of a sweep, once its axes have been told. Raises UserError for `refuse_other_data`."""
    axes = axes_of(composed)
    refuse_other_data(composed)
    os.environ.pop(BY_SLURM, None)  # this process trains nothing
    show_axes(len(composed), axes)
    planner = Planner(axes, speeds)
    return [planner.job(number, of) for number, of in enumerate(composed, 1)]


def refuse_other_data(jobs: Sequence[Composed]) -> None:
    """UserError where scale=smoke, which means drawn faces, meets an experiment whose own axis is the data."""
    smoke = [job for job in jobs if "scale=smoke" in job.overrides]
    data = dict.fromkeys(word for job in smoke for word in job.overrides if word.startswith("dataset="))
    if data and not typed("dataset"):
        raise UserError(
            f"scale=smoke trains on drawn faces, and this experiment on data of its own ({', '.join(data)}) that are "
            "not drawn. Leave scale=smoke out, or try experiment=feature_removal with it."
        )


@dataclass
class Planner:
    """Looks at one job after another; what one has told, such as a network's operations, is not computed again."""

    axes: dict[str, list[str]]
    speeds: Speeds | None
    """None: nobody knows, as the jobs run elsewhere"""
    _flops: dict[str, tuple[int, int]] = field(default_factory=dict)
    _planned: set[Path] = field(default_factory=set)
    """phases 1 that an earlier job will have made"""

    def job(self, number: int, composed: Composed) -> Job:
        """A job that cannot work has its `failure` already; one that fails in an unexpected way is left to do so."""
        own = [word for word in composed.overrides if word.partition("=")[0] in self.axes]
        hashed = hashlib.sha256("\n".join(composed.words).encode()).hexdigest()[:8]
        nowhere = Path(str(composed.config.paths.outputs), ".sweeps", hashed)
        job = Job(number, " ".join(own or composed.overrides), composed.words, nowhere)
        console = rich.get_console()
        quiet, console.quiet = console.quiet, True  # the job itself says what is to be said of its data and budget
        try:
            self._look(job, composed.config)
        except UserError as error:
            job.failure = str(error)
        except Exception:
            return job
        finally:
            console.quiet = quiet
        return job

    def _look(self, job: Job, config: DictConfig) -> None:
        if "members" in config.model:
            of = open_ensemble(config)
            job.directory = of.experiment.directory
            job.members = frozenset(member.directory for member in of.members.values())
            job.summary = finished_ensemble(of)
            job.seconds = STARTING
            return
        experiment = open_experiment(config)
        job.directory = experiment.directory
        chain = Chain(experiment)
        job.summary = finished_summary(chain)
        if job.summary is None:
            chain.refuse_what_cannot_work()
            if chain.attention:
                job.phase_1 = chain.run.cache / chain.attention.name / chain.attention.key()
            self._cost(job, experiment)

    def _cost(self, job: Job, experiment: Experiment) -> None:
        key = canonical({name: of for name, of in experiment.settings.items() if name not in WITHOUT_COST})
        if key not in self._flops:
            self._flops[key] = _operations(experiment)
        phase_1, rest = self._flops[key]
        if job.phase_1 is not None and job.lacks_phase_1 and job.phase_1 not in self._planned:
            self._planned.add(job.phase_1)
            rest += phase_1
        job.flops = rest
        job.seconds = STARTING + rest / self.speeds.of(experiment) if self.speeds else 0.0


def _operations(experiment: Experiment) -> tuple[int, int]:
    """Of phase 1, and of the rest."""
    plan, epochs = Plan(experiment), experiment.attention_recipe.epochs
    phase_1 = plan.of_phase_1(epochs).flops
    return phase_1, plan.run(experiment.recipe.epochs, epochs).flops - phase_1
