"""One experiment, resolved and checked once, at the door: below it nothing reads a config."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import nn

from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.data.packed import PackedData
from fer_perturb.errors import UserError
from fer_perturb.experiment.dataset import open_dataset
from fer_perturb.experiment.identity import Settings, of_callbacks, of_trainer, run_hash
from fer_perturb.experiment.networks import NetworkSettings, network_settings, short_name
from fer_perturb.experiment.other_datasets import canonical_names, other_datasets
from fer_perturb.experiment.precision import resolved_precision
from fer_perturb.experiment.recipe import Recipe
from fer_perturb.runs.phase_cache import content_key
from fer_perturb.runs.run_directory import commit, installed
from fer_perturb.schemes.scheme import Scheme, effective, scheme_from


@dataclass(frozen=True)
class Experiment:
    """What is trained on what, how, and where."""

    data: PackedData
    clean: bool
    """whether training leaves out what `data.clean` names: twins across splits, constant images"""
    others: tuple[PackedData, ...]
    """what else the predictor is tested on"""
    network: NetworkSettings
    attention_network: NetworkSettings
    scheme: Scheme
    recipe: Recipe
    seed: int
    trainer: dict[str, Any]
    """arguments of Lightning's Trainer (conf/trainer)"""
    callbacks: dict[str, Any]
    """further ones in training (conf/callbacks)"""
    logger: dict[str, Any]
    outputs: Path
    settings: Settings
    """all of it in plain values, as config.yaml says it"""
    sweep: str | None = None
    """the experiment= that it is a job of"""

    @property
    def attention_recipe(self) -> Recipe:
        """Phase 1's: the same, perhaps for another number of epochs."""
        asked = self.scheme.attention.phase_1_epochs if self.scheme.attention else None
        return replace(self.recipe, epochs=asked or self.recipe.epochs)

    @property
    def directory(self) -> Path:
        """The run's: <outputs>/<dataset>/<model>/<scheme>/seed<k>-<h8>."""
        return run_directory(self.settings)

    def batches(self) -> FaceDataModule:
        return FaceDataModule(self.data, batch_size=self.recipe.batch_size, seed=self.seed, clean=self.clean)

    def build(self, network: NetworkSettings) -> nn.Module:
        """A network for these images and classes, with the seed's weights."""
        return network.build(
            self.seed, classes=len(self.data.classes), recipe=self.recipe, image_size=self.data.image_size
        )

    def sees(self, data: PackedData) -> dict[str, Any]:
        """What decides how the predictor sees `data`."""
        regions = self.scheme.regions
        landmarks = {"landmarks": data.landmarks_identity} if regions and regions.needs_landmarks else {}
        return {**data.identity, **landmarks}

    def about(self) -> dict[str, Any]:
        """What loggers note beside the settings: which run it is, of which sweep, with which code, on which data."""
        return {
            "run": run_hash(self.settings),
            "sweep": self.sweep,
            "commit": commit(),
            "versions": installed(),
            "data": content_key(self.data.identity),
        }

    def tested_on(self) -> dict[str, str]:
        """The other datasets, and what they are: the predictions on others of those names are not used again."""
        return {data.name: content_key(self.sees(data)) for data in self.others}

    def content(self, version: int, model: str | None, epochs: int | None = None) -> dict[str, Any]:
        """What decides the training of the network of a group of the config, for `epochs` if not the recipe's."""
        recipe = {**self.settings["recipe"], **({} if epochs is None else {"epochs": epochs})}
        return {
            "version": version,
            "data": self.sees(self.data),
            "clean": self.clean,
            "model": self.settings[model] if model else None,
            "recipe": recipe,
            "trainer": of_trainer(self.trainer),
            **of_callbacks(self.callbacks),
            "seed": self.seed,
        }

    def trained_for(self, epochs: int, phase_1_epochs: int | None) -> "Experiment":
        """The same with other epochs of the predictor, and of phase 1 (None: as many)."""
        settings = {**self.settings, "recipe": {**self.settings["recipe"], "epochs": epochs}}
        scheme = self.scheme
        if scheme.has_phase_1:
            attention = {**settings["scheme"]["attention"], "epochs": phase_1_epochs}
            settings["scheme"] = {**settings["scheme"], "attention": attention}
            scheme = replace(scheme, attention=replace(cast(Any, scheme.attention), epochs=phase_1_epochs))
        return replace(self, recipe=replace(self.recipe, epochs=epochs), scheme=scheme, settings=settings)


def resolved(config: DictConfig) -> Settings:
    """conf/train.yaml, composed, in plain values; precision and the names of `test_on` are no longer open."""
    settings = cast(Settings, OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    if not isinstance(settings["seed"], int) or settings["seed"] < 0:
        raise UserError(f"seed={settings['seed']}: expected a whole number, 0 or more.")
    settings["scheme"] = effective(settings["scheme"])  # so that runs alike have one name
    settings["test_on"] = canonical_names(settings["test_on"])
    settings["recipe"]["precision"] = resolved_precision(settings["recipe"]["precision"], settings["trainer"])
    return settings


def experiment_of(settings: Settings, data: PackedData) -> Experiment:
    """The experiment of resolved settings on `data`, within no budget but its own.

    Raises UserError for settings that cannot work.
    """
    scheme = scheme_from(settings["scheme"])
    others = tuple(other_datasets(settings, data))
    for used in (data, *others):
        require_landmarks(scheme, used)
    return Experiment(
        data=data,
        clean=settings["dataset"]["clean"],
        others=others,
        network=network_settings(settings, "model"),
        attention_network=network_settings(settings, "attention_model"),
        scheme=scheme,
        recipe=Recipe.from_settings(settings["recipe"], data.image_size),
        seed=settings["seed"],
        trainer=settings["trainer"],
        callbacks=settings.get("callbacks", {}),
        logger=settings["logger"],
        outputs=Path(settings["paths"]["outputs"]),
        settings=settings,
    )


def open_experiment(config: DictConfig) -> Experiment:
    """The experiment that conf/train.yaml, composed, describes, within its budget.

    Raises UserError for settings that cannot work, and where the data are not prepared.
    """
    from fer_perturb.experiment.budget import within_budget

    experiment = experiment_of(resolved(config), open_dataset(config))
    return within_budget(replace(experiment, sweep=sweep_of_this_job()))


def sweep_of_this_job() -> str | None:
    """The experiment= of the command line, which the composed config does not say."""
    return HydraConfig.get().runtime.choices.get("experiment") if HydraConfig.initialized() else None


def run_directory(settings: Settings) -> Path:
    """<outputs>/<dataset>/<model>/<scheme>/seed<k>-<h8>."""
    name = f"seed{settings['seed']}-{run_hash(settings)}"
    model = short_name(settings["model"]["backbone"])
    place = str(settings["dataset"]["name"]), model, settings["scheme"]["name"], name
    return Path(settings["paths"]["outputs"], *place)


def require_landmarks(scheme: Scheme, data: PackedData) -> None:
    """UserError where the scheme needs landmarks that `data` does not have."""
    if scheme.regions is not None and scheme.regions.needs_landmarks:
        data.require_landmarks(f"scheme={scheme.name}")
