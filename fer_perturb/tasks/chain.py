"""The Perturb Scheme: three phases, each of which leaves on disk what the next one reads."""

import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger
from safetensors.torch import load_file, save

from fer_perturb.checked import told
from fer_perturb.data.augment import Augmentation
from fer_perturb.data.datamodule import FaceDataModule
from fer_perturb.data.packed import PackedData
from fer_perturb.errors import UserError
from fer_perturb.files import link, write_bytes
from fer_perturb.models.build import build_network, check_network
from fer_perturb.models.gates import GatedNetwork
from fer_perturb.schemes.scheme import Scheme, scheme_from
from fer_perturb.seeds import derive
from fer_perturb.tasks import attention_clustering, predictor
from fer_perturb.tasks.attention import RunAttention
from fer_perturb.tasks.attention_clustering import AttentionClustering, load_state
from fer_perturb.tasks.batch_norm import reestimate_batch_norm
from fer_perturb.tasks.classifier import Classifier
from fer_perturb.tasks.cluster_mask_callback import ClusterMaskCallback
from fer_perturb.tasks.costs import attention_size, training_cost, versions
from fer_perturb.tasks.fitting import fit, make_trainer, on_one_device, refuse_idle_tasks
from fer_perturb.tasks.flops import forward_flops
from fer_perturb.tasks.loggers import phase_logger
from fer_perturb.tasks.other_datasets import other_datasets, with_canonical_names
from fer_perturb.tasks.phase_cache import PhaseResult, content_key, link_into, run_phase
from fer_perturb.tasks.precision import with_own_precision
from fer_perturb.tasks.predictions import predict, write_predictions
from fer_perturb.tasks.predictor import Predictor
from fer_perturb.tasks.recipe import Recipe
from fer_perturb.tasks.run_directory import NOT_CONTENT_OF_TRAINER, commit, describe_run, run_directory

KEPT = ("inertia", "ari_position_only")  # of what phase 2 says of its clusters
WEIGHTS = "weights.safetensors"
ATTENTION_VERSION = (
    4  # of phase 1: raise it when its result changes; stored results of older versions are not used again
)


@dataclass(frozen=True)
class FinishedPhase:
    """What a phase shows of itself before its logger closes."""

    name: str  # attention or predictor
    task: Classifier
    data: FaceDataModule
    directory: Path
    logger: Logger


Show = Callable[[FinishedPhase], None]


class Chain:
    """One configured run of the scheme: `run()` goes through its phases and returns what each recorded.

    config: conf/train.yaml, composed. data: the packed dataset. show: called at the end of phases 1 and 3,
    to draw pictures. Raises UserError for a config that cannot work.
    """

    def __init__(self, config: DictConfig, data: PackedData, show: Show) -> None:
        self.config = config = with_own_precision(with_canonical_names(config))
        self.show = show
        if not isinstance(config.seed, int) or config.seed < 0:
            raise UserError(f"seed={config.seed}: expected a whole number, 0 or more.")
        self.seed = config.seed
        self.scheme = scheme_from(config.scheme)
        self.recipe = Recipe.from_config(config.recipe, data.image_size)
        self.attention_recipe = replace(self.recipe, epochs=self.phase_1_epochs)
        self.data = FaceDataModule(data, batch_size=self.recipe.batch_size, seed=self.seed, clean=config.dataset.clean)
        self.run_directory = run_directory(config)
        trainer = make_trainer(config.trainer, self.recipe, self.run_directory, None)
        refuse_idle_tasks(trainer)
        self.first = trainer.is_global_zero  # of the processes that train together, if there are several
        self.alone = config.trainer if trainer.world_size == 1 else on_one_device(config.trainer, trainer)
        self.cache = Path(config.paths.outputs, ".cache")
        self.others = other_datasets(config, data)
        for used in (data, *self.others):
            require_landmarks(self.scheme, used)

    def run(self) -> dict[str, PhaseResult | None]:
        """Phase by phase; the results are also put into the run's directory."""
        if self.has_phase_1:  # networks that cannot work are better refused now than after phase 1
            self.attention_classifier()
        self.predictor(None)
        if self.first:
            describe_run(self.config, self.run_directory)
        attention = clustering = None
        if self.has_phase_1:
            attention = self.train_attention()
            self._keep(attention, "attention")
        if self.scheme.stored:
            clustering = self.cluster(attention)
            self._keep(clustering, "clustering")
        source = self.run_attention(attention, clustering)
        trained = self.train_predictor(source, clustering)
        self._keep(trained, "predictor")
        if self.first:
            for file in (trained.directory / "predictions").iterdir():
                link(file, self.run_directory / "predictions" / file.name)
            self.test_on_others(source, trained)
        return {"attention": attention, "clustering": clustering, "predictor": trained}

    def _keep(self, phase: PhaseResult, name: str) -> None:
        if self.first:
            link_into(phase, self.run_directory / name)

    # phase 1

    @property
    def has_phase_1(self) -> bool:
        """Whether there is an attention classifier to train."""
        return self.scheme.has_phase_1

    @property
    def phase_1_epochs(self) -> int:
        """As many as the predictor's, unless the scheme says otherwise."""
        asked = self.scheme.attention.phase_1_epochs if self.scheme.attention else None
        return asked or self.recipe.epochs

    def train_attention(self) -> PhaseResult:
        """Trains the attention classifier and tests it."""

        def work(directory: Path) -> dict[str, Any]:
            return self._train(self.attention_classifier(), directory, "attention")

        title = self._title("Phase 1, attention classifier")
        return self._phase("attention", title, self._attention_content(), work, together=True)

    def attention_classifier(self) -> Classifier:
        network = self.network(self.config.attention_model, "attention_model")
        if not isinstance(network, GatedNetwork):
            raise UserError("attention_model.attention.at is empty: expected at least one of input, stage1, stage2, …")
        return Classifier(network, self.data, self.attention_recipe, self.seed)

    # phase 2

    def cluster(self, attention: PhaseResult | None) -> PhaseResult:
        """Clusters what the scheme looks at in the training images."""
        regions = self.scheme.regions
        assert regions is not None

        def work(directory: Path) -> dict[str, Any]:
            started, size = time.perf_counter(), self.data.data.image_size
            state = regions.state(size, self.recipe.input_size(size))
            augmentation = Augmentation(self.recipe.augmentation, self.recipe.crop)
            looking = self.run_attention(attention, None)
            task = AttentionClustering(regions, state, looking, augmentation, directory, self.seed)
            with phase_logger(self.config, "clustering", self.run_directory) as logger:
                trainer = make_trainer(self.alone, self.recipe, directory, logger)
                trainer.predict(task, task.predict_dataloader(), return_predictions=False)
                found: dict[str, Any] = {key: task.record[key] for key in KEPT if key in task.record}
                logger.log_metrics(found)
                logger.save()  # Lightning has finished with the logger before this
            flops = 0
            if looking.classifier is not None:
                looked_at = attention_size(regions, self.recipe, size)
                flops = task.looked_at * forward_flops(looking.classifier.network, looked_at)
            seconds = time.perf_counter() - started
            return {"seconds": seconds, "passes": task.looked_at, "flops": flops, "regions": task.record, **found}

        return self._phase("clustering", self._title("Phase 2, clustering"), self._clustering_content(), work)

    def frozen(self, attention: PhaseResult) -> Classifier:
        """Phase 1's classifier as it was trained, in evaluation mode and without gradients."""
        classifier = self.attention_classifier()
        classifier.load_state_dict(load_file(attention.directory / WEIGHTS))
        classifier.requires_grad_(False)
        return classifier.eval()

    def run_attention(self, attention: PhaseResult | None, clustering: PhaseResult | None) -> RunAttention:
        """Where the scheme looks, as far as phases 1 and 2 have come."""
        classifier = self.frozen(attention) if attention else None
        return RunAttention(self.scheme.attention, self.data, classifier, clustering.directory if clustering else None)

    # phase 3

    def train_predictor(self, source: RunAttention, clustering: PhaseResult | None) -> PhaseResult:
        """Trains the predictor on masked views, re-clustering each epoch, and tests it."""

        def work(directory: Path) -> dict[str, Any]:
            task = self.predictor(source)
            if not isinstance(task, Predictor):
                return self._train(task, directory, "predictor")
            made = None
            if clustering is not None:
                load_state(clustering.directory, task.region_state)
                made = clustering.record["regions"]
            return self._train(task, directory, "predictor", ClusterMaskCallback(made))

        title = self._title("Phase 3, predictor" if self.scheme.regions else "Predictor")
        task_content = self._predictor_content(clustering.key if clustering else None)
        return self._phase("predictor", title, task_content, work, together=True)

    def predictor(self, source: RunAttention | None) -> Classifier:
        """A Predictor, or, where nothing is hidden, a plain Classifier."""
        network = self.network(self.config.model, "model")
        if self.scheme.regions is None:
            return Classifier(network, self.data, self.recipe, self.seed)
        if self.scheme.attention is not None:
            with told("scheme.attention"):
                self.scheme.attention.check_network(gated=isinstance(network, GatedNetwork))
        source = source or self.run_attention(None, None)
        return Predictor(network, self.data, self.recipe, self.seed, self.scheme, source)

    def test_on_others(self, source: RunAttention, trained: PhaseResult) -> None:
        """Predictions on the datasets of `test_on`."""
        for data in self.others:
            task = self.predictor(source)
            task.load_state_dict(load_file(trained.directory / WEIGHTS))
            trainer = make_trainer(self.alone, self.recipe, self.run_directory, None)
            path = self.run_directory / "predictions" / f"{data.name}.parquet"
            write_predictions(path, data, predict(task, data, trainer), self.recipe.tta)

    # what the phases share

    def _phase(
        self,
        name: str,
        title: str,
        content: dict[str, Any],
        work: Callable[[Path], dict[str, Any]],
        together: bool = False,
    ) -> PhaseResult:
        return run_phase(self.cache, name, title, content, work, first=self.first, together=together)

    def _title(self, phase: str) -> str:
        return f"{phase}: {self.scheme.name}, {self.config.model.backbone}, seed {self.seed}"

    def network(self, model: DictConfig, key: str) -> torch.nn.Module:
        """A network with weights that depend on the seed alone; UserError if it cannot take these images."""
        torch.manual_seed(derive(self.seed, "weights", key))
        kwargs: Any = OmegaConf.to_container(model.kwargs, resolve=True)
        size = self.recipe.input_size(self.data.data.image_size)
        try:
            network = build_network(
                model.backbone,
                num_classes=len(self.data.data.classes),
                small_input=model.small_input,
                attention_at=list(model.attention.at),
                kwargs=kwargs,
                image_size=size,
            )
            for training_size in {size, *self.recipe.training_sizes(self.data.data.image_size)}:
                check_network(network, training_size, small_input=model.small_input)
        except UserError as error:  # which names the keys of `model`; what the two networks share is set there
            shared = all(model[name] == self.config.model[name] for name in ("backbone", "small_input", "kwargs"))
            keys = r"\bmodel\.(?=attention\b)" if shared else r"\bmodel\.(?=[a-z])"
            raise UserError(re.sub(keys, f"{key}.", str(error))) from error
        return network

    def _train(
        self, task: Classifier, directory: Path, name: str, clusters: ClusterMaskCallback | None = None
    ) -> dict[str, Any]:
        """Fits, saves and tests a classifier in `directory`; what it recorded."""
        config, image_size = self.config.trainer, self.data.data.image_size
        callbacks: list[Callback] = [clusters] if clusters else []
        logging = phase_logger(self.config, name, self.run_directory) if self.first else nullcontext()
        with logging as logger:
            record = fit(task, self.data, config=config, directory=directory, logger=logger, callbacks=callbacks)
            if logger is None:  # the first process does the rest
                return record
            trainer = make_trainer(self.alone, task.recipe, directory, None)
            if name == "predictor" and self.scheme.reestimate_bn:
                record["batch_norm"] = reestimate_batch_norm(task, self.data, trainer)
            write_bytes(
                directory / WEIGHTS, save({key: value.contiguous() for key, value in task.state_dict().items()})
            )
            logits = predict(task, self.data.data, trainer)
            path = directory / "predictions" / f"{self.data.data.name}.parquet"
            write_predictions(path, self.data.data, logits, self.recipe.tta)
            self.show(FinishedPhase(name, task, self.data, directory, logger))
        batch_size = self.data.sampler.batch_size
        cost = training_cost(
            task.network,
            task.recipe,
            image_size,
            steps=record["images"] // batch_size,
            batch_size=batch_size,
            versions=versions(task.recipe, self.scheme if isinstance(task, Predictor) else None),
        )
        record |= {"passes": cost.passes, "flops": cost.flops}
        record["commit"] = commit()
        record["images_per_second"] = record["images"] / record["seconds"]
        if "batch_norm" in record:
            input_size = self.recipe.input_size(image_size)
            record["flops"] += record["batch_norm"]["images"] * forward_flops(task.network, input_size)
        if isinstance(task, Predictor) and clusters and clusters.history:
            record["clusters"] = clusters.history
            if task.sight.classifier is not None:
                looks = sum(entry["attention_passes"] for entry in clusters.history)
                looked_at = attention_size(task.regions, self.recipe, image_size)
                record["flops"] += looks * forward_flops(task.sight.classifier.network, looked_at)
        self.data.trainer = None  # it would keep the phase's trainer, task and optimiser in memory
        return record

    # what decides a phase's results

    def predictor_key(self) -> str:
        """The key of what `run()` would leave, known before it runs."""
        clustering = content_key(self._clustering_content()) if self.scheme.stored else None
        return content_key(self._predictor_content(clustering))

    def _attention_content(self) -> dict[str, Any]:
        own = self._content(ATTENTION_VERSION, self.config.attention_model)
        return {**own, "recipe": {**own["recipe"], "epochs": self.attention_recipe.epochs}}

    def _clustering_content(self) -> dict[str, Any]:
        assert self.scheme.attention is not None
        assert self.scheme.regions is not None
        if self.has_phase_1:
            looked = {"phase 1": content_key(self._attention_content())}
        else:  # nobody's attention depends on the images and on how they are augmented
            looked = self._content(0, OmegaConf.create({}))
        return {
            **looked,
            "version": attention_clustering.VERSION,
            "attention": self.scheme.attention.identity(),
            "regions": self.scheme.regions.identity(),
            "seed": self.seed,
        }

    def _predictor_content(self, clustering_key: str | None) -> dict[str, Any]:
        own = self._content(predictor.VERSION, self.config.model)
        return {**own, "scheme": self.scheme.identity(), "clustering": clustering_key}

    def _content(self, version: int, model: DictConfig) -> dict[str, Any]:
        plain: Any = OmegaConf.to_container(self.config, resolve=True)
        return {
            "version": version,
            "data": self.identity_of(self.data.data),
            "clean": self.config.dataset.clean,
            "model": OmegaConf.to_container(model, resolve=True),
            "recipe": plain["recipe"],
            "trainer": {k: v for k, v in plain["trainer"].items() if k not in NOT_CONTENT_OF_TRAINER},
            "seed": self.seed,
        }

    def identity_of(self, data: PackedData) -> dict[str, Any]:
        """What decides how the network sees `data`."""
        regions = self.scheme.regions
        landmarks = {"landmarks": data.landmarks_identity} if regions and regions.needs_landmarks else {}
        return {**data.identity, **landmarks}

    def tested_on(self) -> dict[str, str]:
        """The datasets of `test_on`, and what they are: the predictions on others of those names are not used again."""
        return {data.name: content_key(self.identity_of(data)) for data in self.others}


def require_landmarks(scheme: Scheme, data: PackedData) -> None:
    """UserError where the scheme needs landmarks that `data` does not have."""
    if scheme.regions is not None and scheme.regions.needs_landmarks:
        data.require_landmarks(f"scheme={scheme.name}")
