"""A finished run, as it can be tested again: its directory stands alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from safetensors.torch import load_file
from yaml import YAMLError

from fer_perturb.data.packed import load_packed
from fer_perturb.data.shown import shown
from fer_perturb.errors import UserError
from fer_perturb.tasks.attention_source import AttentionSource
from fer_perturb.tasks.chain import WEIGHTS, Chain
from fer_perturb.tasks.phase_cache import PhaseResult
from fer_perturb.tasks.precision import for_testing
from fer_perturb.tasks.predictor import Predictor
from fer_perturb.tasks.recipe import Recipe
from fer_perturb.tasks.run_directory import read_summary
from fer_perturb.tasks.scheme import Scheme

NEUTRAL = {"scheme.attention_epochs": None, "recipe.mixup": 0.0}  # how runs were trained before these keys were there
MISSING = object()


@dataclass(frozen=True)
class TrainedRun:
    """A run's chain, its trained predictor, and whose attention its maps come from."""

    directory: Path
    chain: Chain
    predictor: Predictor
    source: AttentionSource | None
    summary: dict[str, Any]

    @property
    def name(self) -> str:
        """<scheme>-seed<k>-<h8>."""
        return f"{self.chain.scheme.name}-{self.directory.name}"


def load_run(directory: Path, settings: DictConfig, key: str) -> TrainedRun:
    """Loads a run with the `trainer` and `paths` of `settings`; its training data must be at hand.

    Raises UserError, naming the config key `key`, for a directory that holds no trained predictor.
    """
    summary = read_summary(directory, key)
    try:
        config = OmegaConf.load(directory / "config.yaml")
        trained_on = json.loads((directory / "predictor" / "content.json").read_text())["data"]
        if not isinstance(config, DictConfig):
            raise TypeError("no mapping")
    except (OSError, ValueError, KeyError, TypeError, YAMLError) as error:
        told = str(error).splitlines()[0]
        raise UserError(f"{key}={directory} cannot be read ({told}). The command that trained it mends it.") from error
    config.trainer, config.paths, config.test_on = settings.trainer, settings.paths, []
    for name, neutral in NEUTRAL.items():  # keys that the run is older than
        if OmegaConf.select(config, name, default=MISSING) is MISSING:
            OmegaConf.update(config, name, neutral, force_add=True)
    data = shown(load_packed(Path(config.paths.data, str(config.dataset.name))), config.dataset)
    try:
        Scheme.from_config(config.scheme)
        Recipe.from_config(config.recipe, data.image_size)
    except UserError as error:
        made_by = summary.get("commit") or "unknown"
        raise UserError(
            f"{key}={directory} was trained with settings that this version does not know (commit {made_by[:7]}): "
            f"{error} Test it with that commit, or train it again."
        ) from error
    chain = Chain(for_testing(config, f"{key}={directory}"), data, lambda phase: None)
    if trained_on != chain.identity_of(data):
        raise UserError(
            f"{key}={directory} was trained on other data than those that lie at {data.root} now; expected the same, "
            "for their mean and their maps. Prepare them as they were."
        )

    def finished(phase: str) -> PhaseResult | None:
        there = directory / phase
        return PhaseResult(phase, there, cached=True, record={}) if there.is_dir() else None

    source = chain.attention_source(finished("attention"), finished("clustering"))
    predictor = chain.predictor(source)
    predictor.load_state_dict(load_file(directory / "predictor" / WEIGHTS))
    return TrainedRun(directory, chain, predictor, source, summary)


def with_views_of(run: TrainedRun, other: TrainedRun) -> Predictor:
    """The predictor of `run`, tested under the maps of `other`: the same network sees other views.

    Raises UserError where `other` has no views, or for images of another size.
    """
    if not other.chain.scheme.masks or other.chain.scheme.hide == "nothing":
        raise UserError(
            f"views_from={other.directory}: its scheme ({other.chain.scheme.name}) hides nothing, so it has no views."
        )
    source = other.source
    if source is not None and source.frozen is None:  # its own predictor's attention
        source = AttentionSource(other.predictor)
    chain = run.chain
    task = Predictor(run.predictor.network, other.chain.data, chain.recipe, chain.seed, other.chain.scheme, source)
    if task.cluster_map.shape != other.predictor.cluster_map.shape or task.image_size != run.predictor.image_size:
        raise UserError(
            f"views_from={other.directory}: its maps are for {tuple(other.predictor.cluster_map.shape)} pixels, and "
            f"{run.directory} sees {tuple(task.cluster_map.shape)}."
        )
    for name in ("mean", "std"):
        getattr(task, name).copy_(getattr(run.predictor, name))
    for name in ("cluster_map", "centres"):
        getattr(task, name).copy_(getattr(other.predictor, name))
    return task
