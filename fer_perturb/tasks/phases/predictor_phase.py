"""Phase 3: a new classifier learns from the image and its copies with one region hidden, and is tested."""

from pathlib import Path
from typing import Any, ClassVar

from pytorch_lightning import Callback
from safetensors.torch import load_file

from fer_perturb.checked import told
from fer_perturb.models.gates import GatedNetwork
from fer_perturb.runs.phase_cache import PhaseResult, opened_phase
from fer_perturb.tasks.phases.attention_clustering import load_state
from fer_perturb.tasks.phases.attention_phase import AttentionPhase
from fer_perturb.tasks.phases.cluster_mask_callback import ClusterMaskCallback
from fer_perturb.tasks.phases.clustering_phase import ClusteringPhase, run_attention
from fer_perturb.tasks.phases.phase import Phase, Run
from fer_perturb.tasks.phases.predictor import VERSION, Predictor
from fer_perturb.tasks.phases.sight import RunAttention
from fer_perturb.tasks.phases.trained import WEIGHTS, fitted, train_and_test
from fer_perturb.tasks.training.classifier import Classifier
from fer_perturb.tasks.training.trainer import make_trainer
from fer_perturb.tasks.training.write_predictions import predict, write_predictions


class PredictorPhase(Phase):
    """attention, clustering: phases 1 and 2, where the scheme has them."""

    name: ClassVar[str] = "predictor"

    def __init__(self, run: Run, attention: AttentionPhase | None, clustering: ClusteringPhase | None) -> None:
        super().__init__(run)
        self.attention = attention
        self.clustering = clustering

    @property
    def title(self) -> str:
        return "Phase 3, predictor" if self.experiment.scheme.regions else "Predictor"

    def content(self) -> dict[str, Any]:
        own = self.experiment.content(VERSION, "model")
        clustering = self.clustering.key() if self.clustering else None
        return {**own, "scheme": self.experiment.scheme.identity(), "clustering": clustering}

    def made_from(self) -> list[PhaseResult]:
        return [self.attention.finish()] if self.attention else []

    def work(self, directory: Path) -> dict[str, Any]:
        task, clusters = self._ready()
        anew = self.experiment.scheme.reestimate_bn
        return train_and_test(self, task, directory, clusters, reestimate_bn=anew)

    def train(self, watch: Callback) -> Path | None:
        """Trains before the eyes of `watch`, and no more: nothing is tested, and `finish` goes on with what is there.

        The folder of the phase instead, where that is finished already. For one process.
        """
        run = self.run
        with opened_phase(run.cache, self.name, self.full_title, self.content()) as (directory, whole):
            if whole:
                return directory
            task, clusters = self._ready()
            with fitted(self, task, directory, [*([clusters] if clusters else []), watch]):
                return None

    def _ready(self) -> tuple[Classifier, ClusterMaskCallback | None]:
        """What is trained, with the regions of phase 2, and what makes them anew."""
        task, clusters = self.task(self.sight()), None
        if isinstance(task, Predictor):
            made = None
            if self.clustering:
                clustering = self.clustering.finish()
                load_state(clustering.directory, task.region_state)
                made = clustering.record["regions"]
            clusters = ClusterMaskCallback(made)
        return task, clusters

    def sight(self) -> RunAttention:
        """Where the scheme looks, once phases 1 and 2 are finished."""
        return run_attention(self.run, self.attention, self.clustering)

    def task(self, sight: RunAttention | None = None) -> Classifier:
        """Untrained: a Predictor, or a plain Classifier where nothing is hidden. sight: None before phases 1 and 2."""
        experiment = self.experiment
        network, scheme = experiment.build(experiment.network), experiment.scheme
        if scheme.regions is None:
            return Classifier(network, self.run.data, experiment.recipe, experiment.seed)
        if scheme.attention is not None:
            with told("scheme.attention"):
                scheme.attention.check_network(gated=isinstance(network, GatedNetwork))
        sight = sight or RunAttention(scheme.attention, self.run.data, None, None)
        return Predictor(network, self.run.data, experiment.recipe, experiment.seed, scheme, sight)

    def trained(self) -> Classifier:
        """As it was trained."""
        task = self.task(self.sight())
        task.load_state_dict(load_file(self.finish().directory / WEIGHTS))
        return task

    def test_on_others(self) -> None:
        """Predictions on the datasets of `test_on`, beside its own."""
        for data in self.experiment.others:
            trainer = make_trainer(self.run.alone, self.experiment.recipe, self.run.directory, None)
            path = self.run.directory / "predictions" / f"{data.name}.parquet"
            write_predictions(path, data, predict(self.trained(), data, trainer), self.experiment.recipe.tta)
