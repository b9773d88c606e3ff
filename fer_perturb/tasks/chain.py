"""The Perturb Scheme: three phases, each of which leaves on disk what the next one reads."""

from pathlib import Path

from pytorch_lightning import Callback

from fer_perturb.experiment.experiment import Experiment
from fer_perturb.files import link
from fer_perturb.processes import of_each, of_first
from fer_perturb.runs.phase_cache import PhaseResult
from fer_perturb.runs.run_directory import describe_run
from fer_perturb.tasks.phases.attention_phase import AttentionPhase
from fer_perturb.tasks.phases.clustering_phase import ClusteringPhase
from fer_perturb.tasks.phases.phase import Run, Show, unseen
from fer_perturb.tasks.phases.predictor_phase import PredictorPhase
from fer_perturb.tasks.training.callbacks import callbacks_of


class Chain:
    """The phases of an experiment in their order; those that its scheme does not have are None.

    show: called in phases 1 and 3, to draw pictures. Raises UserError for what cannot work here.
    """

    def __init__(self, experiment: Experiment, show: Show = unseen) -> None:
        self.experiment = experiment
        self.run = run = Run(experiment, show)
        self.attention = AttentionPhase(run) if experiment.scheme.has_phase_1 else None
        self.clustering = ClusteringPhase(run, self.attention) if experiment.scheme.stored else None
        self.predictor = PredictorPhase(run, self.attention, self.clustering)

    def finish(self) -> dict[str, PhaseResult | None]:
        """Runs one phase after another, and tests the predictor; what each recorded, which its folder in the run's
        directory holds as well."""
        self.run.join()
        attention, clustering = self._phases_1_and_2()
        predictor = self.predictor.finish()
        of_first(lambda: self._test(predictor))
        return {"attention": attention, "clustering": clustering, "predictor": predictor}

    def train(self, watch: Callback) -> Path | None:
        """Phases 1 and 2, and the training of phase 3 before the eyes of `watch`: see PredictorPhase.train."""
        self._phases_1_and_2()
        return self.predictor.train(watch)

    def _phases_1_and_2(self) -> tuple[PhaseResult | None, PhaseResult | None]:
        of_each(self.refuse_what_cannot_work)
        of_first(lambda: describe_run(self.experiment.settings, self.run.directory))
        attention = self.attention.finish() if self.attention else None
        return attention, self.clustering.finish() if self.clustering else None

    def _test(self, predictor: PhaseResult) -> None:
        for file in (predictor.directory / "predictions").iterdir():
            link(file, self.run.directory / "predictions" / file.name)
        self.predictor.test_on_others()

    def refuse_what_cannot_work(self) -> None:
        """Networks and callbacks that cannot work are better refused now than after phase 1."""
        callbacks_of(self.experiment.callbacks)
        if self.attention:
            self.attention.classifier()
        self.predictor.task()
