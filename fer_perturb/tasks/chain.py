"""The Perturb Scheme: three phases, each of which leaves on disk what the next one reads."""

import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger
from safetensors.torch import load_file, save

from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.data.packed import PackedData
from fer_perturb.errors import UserError
from fer_perturb.files import link, write_bytes
from fer_perturb.models.build import build_network, check_network
from fer_perturb.models.gates import GatedNetwork
from fer_perturb.tasks import attention_classifier, attention_clustering, grey_values, predictor
from fer_perturb.tasks.attention_classifier import AttentionClassifier
from fer_perturb.tasks.attention_clustering import AttentionClustering, describe, load_clusters
from fer_perturb.tasks.attention_source import AttentionSource
from fer_perturb.tasks.batch_norm import reestimate_batch_norm
from fer_perturb.tasks.classifier import Classifier
from fer_perturb.tasks.cluster_mask_callback import ClusterMaskCallback
from fer_perturb.tasks.costs import attention_size, clustering_images, training_cost, versions
from fer_perturb.tasks.fitting import fit, make_trainer, on_one_device, refuse_idle_tasks
from fer_perturb.tasks.flops import forward_flops
from fer_perturb.tasks.grey_values import GreyValues
from fer_perturb.tasks.landmark_mask_callback import LandmarkMaskCallback
from fer_perturb.tasks.loggers import phase_logger
from fer_perturb.tasks.other_datasets import other_datasets, with_canonical_names
from fer_perturb.tasks.phase_cache import PhaseResult, content_key, link_into, run_phase
from fer_perturb.tasks.precision import with_own_precision
from fer_perturb.tasks.predictions import predict, write_predictions
from fer_perturb.tasks.predictor import Predictor
from fer_perturb.tasks.recipe import Recipe
from fer_perturb.tasks.run_directory import NOT_CONTENT_OF_TRAINER, commit, describe_run, run_directory
from fer_perturb.tasks.scheme import Scheme, content
from fer_perturb.tasks.seeds import derive

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class FinishedPhase:
    """What a phase shows of itself before its logger closes."""

    name: str  # attention or predictor
    task: Classifier
    data: FaceDataModule
    source: AttentionSource | None
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
        self.scheme = Scheme.from_config(config.scheme)
        self.recipe = Recipe.from_config(config.recipe, data.image_size)
        self.attention_recipe = replace(self.recipe, epochs=self.scheme.attention_epochs or self.recipe.epochs)
        self.data = FaceDataModule(data, batch_size=self.recipe.batch_size, seed=self.seed, clean=config.dataset.clean)
        self.run_directory = run_directory(config)
        trainer = make_trainer(config.trainer, self.recipe, self.run_directory, None)
        refuse_idle_tasks(trainer)
        self.first = trainer.is_global_zero  # of the processes that train together, if there are several
        self.alone = config.trainer if trainer.world_size == 1 else on_one_device(config.trainer, trainer)
        self.cache = Path(config.paths.outputs, ".cache")
        self.others = other_datasets(config, data)
        for used in (data, *self.others):
            self.scheme.require_landmarks(used)

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
        source = self.attention_source(attention, clustering)
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
        return self.scheme.masks and self.scheme.attention == "frozen"

    def train_attention(self) -> PhaseResult:
        """Trains the attention classifier and tests it."""

        def work(directory: Path) -> dict[str, Any]:
            return self._train(self.attention_classifier(), directory, "attention", None)

        title = self._title("Phase 1, attention classifier")
        return self._phase("attention", title, self._attention_content(), work, together=True)

    def attention_classifier(self) -> AttentionClassifier:
        network = self.network(self.config.attention_model, "attention_model")
        if not isinstance(network, GatedNetwork):
            raise UserError("attention_model.attention.at is empty: expected at least one of input, stage1, stage2, …")
        return AttentionClassifier(network, self.data, self.attention_recipe, self.seed)

    # phase 2

    def cluster(self, attention: PhaseResult | None) -> PhaseResult:
        """Clusters the trained classifier's attention, or the grey values."""
        scheme = self.scheme

        def work(directory: Path) -> dict[str, Any]:
            started = time.perf_counter()
            classifier = self.frozen(attention)
            task = AttentionClustering(classifier, self.data, scheme, directory, self.seed)
            with phase_logger(self.config, "clustering", self.run_directory) as logger:
                trainer = make_trainer(self.alone, self.recipe, directory, logger)
                trainer.predict(task, task.predict_dataloader(), return_predictions=False)
                assert task.result is not None
                found = describe(task.result, scheme, self.seed)
                logger.log_metrics({"inertia": found["inertia"], "ari_position_only": found["ari_position_only"]})
                logger.save()  # Lightning has finished with the logger before this
            size = attention_size(scheme, self.recipe, self.data.data.image_size)
            passes = clustering_images(scheme, self.recipe, self.data)
            flops = passes * forward_flops(classifier.network, size)
            return {"seconds": time.perf_counter() - started, "passes": passes, "flops": flops, **found}

        return self._phase("clustering", self._title("Phase 2, clustering"), self._clustering_content(), work)

    def frozen(self, attention: PhaseResult | None) -> AttentionClassifier | GreyValues:
        """Phase 1's classifier as it was trained, in evaluation mode and without gradients; or the grey values."""
        if attention is None:
            return GreyValues(self.data, self.recipe, self.seed)
        classifier = self.attention_classifier()
        classifier.load_state_dict(load_file(attention.directory / WEIGHTS))
        classifier.requires_grad_(False)
        return classifier.eval()

    def attention_source(self, attention: PhaseResult | None, clustering: PhaseResult | None) -> AttentionSource | None:
        if not self.scheme.masks or self.scheme.attention == "landmarks":
            return None
        if clustering is None:
            return AttentionSource()
        return AttentionSource(self.frozen(attention), clustering.directory)

    # phase 3

    def train_predictor(self, source: AttentionSource | None, clustering: PhaseResult | None) -> PhaseResult:
        """Trains the predictor on masked views, re-clustering each epoch, and tests it."""

        def work(directory: Path) -> dict[str, Any]:
            task = self.predictor(source)
            if clustering is not None:
                start = load_clusters(clustering.directory)
                task.cluster_map.copy_(start.labels)
                task.centres.copy_(start.centres)
            return self._train(task, directory, "predictor", source)

        title = self._title("Phase 3, predictor" if self.scheme.masks else "Predictor")
        task_content = self._predictor_content(clustering.key if clustering else None)
        return self._phase("predictor", title, task_content, work, together=True)

    def predictor(self, source: AttentionSource | None) -> Predictor:
        network = self.network(self.config.model, "model")
        if self.scheme.masks and self.scheme.attention == "self" and not isinstance(network, GatedNetwork):
            raise UserError("scheme.attention=self needs a gated predictor: set model.attention.at=[stage1,stage2].")
        return Predictor(network, self.data, self.recipe, self.seed, self.scheme, source)

    def test_on_others(self, source: AttentionSource | None, trained: PhaseResult) -> None:
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

    def _train(self, task: Classifier, directory: Path, name: str, source: AttentionSource | None) -> dict[str, Any]:
        """Fits, saves and tests a classifier in `directory`; what it recorded."""
        callback = ClusterMaskCallback(source, self.data) if source else None
        masks = isinstance(task, Predictor) and self.scheme.masks
        config, size = self.config.trainer, self.recipe.input_size(self.data.data.image_size)
        logging = phase_logger(self.config, name, self.run_directory) if self.first else nullcontext()
        with logging as logger:
            callbacks: list[Callback] = [callback] if callback else []
            if masks and self.scheme.attention == "landmarks":
                callbacks = [LandmarkMaskCallback(self.data)]
            record = fit(task, self.data, config=config, directory=directory, logger=logger, callbacks=callbacks)
            if logger is None:  # the first process does the rest
                return record
            trainer = make_trainer(self.alone, task.recipe, directory, None)
            if isinstance(task, Predictor) and self.scheme.reestimate_bn:
                record["batch_norm"] = reestimate_batch_norm(task, self.data, trainer)
            write_bytes(
                directory / WEIGHTS, save({key: value.contiguous() for key, value in task.state_dict().items()})
            )
            logits = predict(task, self.data.data, trainer)
            path = directory / "predictions" / f"{self.data.data.name}.parquet"
            write_predictions(path, self.data.data, logits, self.recipe.tta)
            self.show(FinishedPhase(name, task, self.data, source, directory, logger))
        batch_size = self.data.sampler.batch_size
        cost = training_cost(
            task.network,
            task.recipe,
            self.data.data.image_size,
            steps=record["images"] // batch_size,
            batch_size=batch_size,
            versions=versions(task.recipe, self.scheme if isinstance(task, Predictor) else None),
        )
        record |= {"passes": cost.passes, "flops": cost.flops}
        record["commit"] = commit()
        record["images_per_second"] = record["images"] / record["seconds"]
        if "batch_norm" in record:
            record["flops"] += record["batch_norm"]["images"] * forward_flops(task.network, size)
        if callback and source:
            record["clusters"] = callback.history
            looks = sum(entry["attention_passes"] for entry in callback.history)
            looked_at = attention_size(self.scheme, self.recipe, self.data.data.image_size)
            record["flops"] += looks * forward_flops(source.classifier(task).network, looked_at)
        self.data.trainer = None  # it would keep the phase's trainer, task and optimiser in memory
        return record

    # what decides a phase's results

    def predictor_key(self) -> str:
        """The key of what `run()` would leave, known before it runs."""
        clustering = content_key(self._clustering_content()) if self.scheme.stored else None
        return content_key(self._predictor_content(clustering))

    def _attention_content(self) -> dict[str, Any]:
        if self.scheme.attention == "grey":
            return self._content(grey_values.VERSION, OmegaConf.create({"attention": "grey"}))
        own = self._content(attention_classifier.VERSION, self.config.attention_model)
        return {**own, "recipe": {**own["recipe"], "epochs": self.attention_recipe.epochs}}

    def _clustering_content(self) -> dict[str, Any]:
        return {
            "version": attention_clustering.VERSION,
            "attention": content_key(self._attention_content()),
            "scope": self.scheme.scope,
            "clusters": asdict(self.scheme.clusters),
            "seed": self.seed,
        }

    def _predictor_content(self, clustering_key: str | None) -> dict[str, Any]:
        own = self._content(predictor.VERSION, self.config.model)
        maps = {"maps": attention_clustering.VERSION} if self.scheme.attention == "self" and self.scheme.masks else {}
        return {**own, **maps, "scheme": content(self.scheme), "clustering": clustering_key}

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
        landmarks = {"landmarks": data.landmarks_identity} if self.scheme.attention == "landmarks" else {}
        return {**data.identity, **landmarks}

    def tested_on(self) -> dict[str, str]:
        """The datasets of `test_on`, and what they are: the predictions on others of those names are not used again."""
        return {data.name: content_key(self.identity_of(data)) for data in self.others}
