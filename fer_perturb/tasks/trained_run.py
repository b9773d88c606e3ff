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
from fer_perturb.schemes.regions.nothing import Nothing
from fer_perturb.schemes.scheme import scheme_from
from fer_perturb.tasks.attention import RunAttention
from fer_perturb.tasks.chain import WEIGHTS, Chain
from fer_perturb.tasks.classifier import Classifier
from fer_perturb.tasks.phase_cache import PhaseResult
from fer_perturb.tasks.precision import for_testing
from fer_perturb.tasks.predictor import Predictor
from fer_perturb.tasks.recipe import Recipe
from fer_perturb.tasks.run_directory import read_summary

NEUTRAL = {"scheme.attention_epochs": None, "recipe.mixup": 0.0}  # how runs were trained before these keys were there
MISSING = object()


@dataclass(frozen=True)
class TrainedRun:
    """A run's chain and its trained predictor."""

    directory: Path
    chain: Chain
    predictor: Classifier
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
        scheme_from(config.scheme)
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

    predictor = chain.predictor(chain.run_attention(finished("attention"), finished("clustering")))
    predictor.load_state_dict(load_file(directory / "predictor" / WEIGHTS))
    return TrainedRun(directory, chain, predictor, summary)


def with_views_of(run: TrainedRun, other: TrainedRun) -> Predictor:
    """The predictor of `run`, tested under the maps of `other`: the same network sees other views.

    Raises UserError where `other` has no views, or for images of another size.
    """
    theirs = other.predictor
    if not isinstance(theirs, Predictor) or isinstance(theirs.regions, Nothing):
        raise UserError(
            f"views_from={other.directory}: its scheme ({other.chain.scheme.name}) hides nothing, so it has no views."
        )
    sight = theirs.sight
    if sight.follows_predictor:  # and does not look at itself
        sight = RunAttention(sight.attention, sight.data, theirs, sight.stored)
    chain = run.chain
    task = Predictor(run.predictor.network, other.chain.data, chain.recipe, chain.seed, theirs.scheme, sight)
    size = run.chain.data.data.image_size
    ours, stored = task.region_state.state_dict(), theirs.region_state.state_dict()
    if task.image_size != size or any(ours[name].shape != stored[name].shape for name in ours):
        raise UserError(
            f"views_from={other.directory}: its maps are not for what {run.directory} sees; expected images of "
            f"{size[0]}x{size[1]} pixels, and the same recipe.crop."
        )
    for name in ("mean", "std"):
        getattr(task, name).copy_(getattr(run.predictor, name))
    task.region_state.load_state_dict(stored)
    return task
