"""What the phases of a run share, and what each of them is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytorch_lightning.loggers import Logger

from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.experiment.experiment import Experiment
from fer_perturb.processes import join, of_first
from fer_perturb.runs.phase_cache import PhaseResult, content_key, link_into, run_phase
from fer_perturb.tasks.training.classifier import Classifier
from fer_perturb.tasks.training.trainer import make_trainer, on_one_device, refuse_idle_tasks


@dataclass(frozen=True)
class ShownPhase:
    """What a phase that trains shows of itself: at the end of some epochs, and, `finished`, before its logger closes.

    epoch, step: the last ones of its training so far, counted from 0, as Lightning logs them.
    """

    task: Classifier
    data: FaceDataModule
    directory: Path
    logger: Logger
    epoch: int
    step: int
    finished: bool


Show = Callable[[ShownPhase], None]


def unseen(phase: ShownPhase) -> None:
    """Nothing is drawn."""


class Run:
    """What the phases of one experiment share: its data, its directory, and where they run.

    show: called in phases 1 and 3, to draw pictures. Raises UserError for a trainer that cannot work here.
    """

    def __init__(self, experiment: Experiment, show: Show = unseen) -> None:
        self.experiment = experiment
        self.show = show
        self.data = experiment.batches()
        self.directory = experiment.directory
        self.cache = experiment.outputs / ".cache"
        self.trainer = trainer = make_trainer(experiment.trainer, experiment.recipe, self.directory, None)
        """of those that train together: how many they are, and who starts them"""
        refuse_idle_tasks(trainer)
        self.alone = experiment.trainer if trainer.world_size == 1 else on_one_device(experiment.trainer, trainer)
        """conf/trainer for what one process does alone"""

    def join(self) -> None:
        """Waits for the other processes of this run, if there are to be several."""
        join(self.trainer, str(self.directory))


class Phase(ABC):
    """One of the three chained tasks: what decides its result, and how it comes about."""

    name: ClassVar[str]
    together: ClassVar[bool] = True
    """Whether several processes do its work together."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.experiment = run.experiment
        self.result: PhaseResult | None = None

    @property
    @abstractmethod
    def title(self) -> str:
        """What the person at the terminal is told that it is."""

    @property
    def full_title(self) -> str:
        """The title, and of which run."""
        of = self.experiment
        return f"{self.title}: {of.scheme.name}, {of.network.name}, seed {of.seed}"

    @abstractmethod
    def content(self) -> dict[str, Any]:
        """All that decides the result, as JSON can hold it."""

    @abstractmethod
    def work(self, directory: Path) -> dict[str, Any]:
        """Makes the result in `directory`, where an interrupted run's files may lie; what it recorded."""

    def made_from(self) -> list[PhaseResult]:
        """The earlier phases whose weights it uses."""
        return []

    def key(self) -> str:
        return content_key(self.content())

    def finish(self) -> PhaseResult:
        """The result: found, or made; it is put into the run's directory as well."""
        if self.result is None:
            self.result = run_phase(
                self.run.cache,
                self.name,
                self.full_title,
                self.content(),
                self.work,
                together=self.together,
            )
            result = self.result
            of_first(lambda: link_into(result, self.run.directory / self.name))
        return self.result
