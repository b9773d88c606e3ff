"""A finished run, as it can be tested again: its directory stands alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml import YAMLError

from fer_perturb.data.packed import PackedData, load_packed
from fer_perturb.data.variant import variant_of
from fer_perturb.errors import UserError
from fer_perturb.experiment.experiment import Experiment, experiment_of
from fer_perturb.experiment.identity import Settings
from fer_perturb.experiment.precision import precision_of_testing
from fer_perturb.runs.phase_cache import PhaseResult
from fer_perturb.runs.run_directory import read_settings, read_summary
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.phases.predictor import Predictor
from fer_perturb.tasks.phases.sight import RunAttention
from fer_perturb.tasks.training.classifier import Classifier


@dataclass(frozen=True)
class TrainedRun:
    """A run's chain and its trained predictor."""

    directory: Path
    chain: Chain
    predictor: Classifier
    summary: dict[str, Any]

    @property
    def experiment(self) -> Experiment:
        return self.chain.experiment

    @property
    def name(self) -> str:
        """<scheme>-seed<k>-<h8>."""
        return f"{self.experiment.scheme.name}-{self.directory.name}"


def load_run(directory: Path, place: Settings, key: str) -> TrainedRun:
    """Loads a run with the `trainer` and `paths` of `place`; its training data must be at hand.

    Raises UserError, naming the config key `key`, for a directory that holds no trained predictor.
    """
    summary = read_summary(directory, key)
    try:
        settings = read_settings(directory)
        trained_on = json.loads((directory / "predictor" / "content.json").read_text())["data"]
        settings = {**settings, "trainer": place["trainer"], "paths": place["paths"], "test_on": []}
        name, trained_in = str(settings["dataset"]["name"]), str(settings["recipe"]["precision"])
    except (OSError, ValueError, KeyError, TypeError, YAMLError) as error:
        told = str(error).splitlines()[0]
        raise UserError(f"{key}={directory} cannot be read ({told}). The command that trained it mends it.") from error
    packed = load_packed(Path(settings["paths"]["data"], name), settings["dataset"].get("kind"))
    data = variant_of(packed, settings["dataset"])
    experiment = as_it_was(settings, data, f"{key}={directory}", summary.get("commit"))
    precision = precision_of_testing(trained_in, place["trainer"], f"{key}={directory}")
    if precision != trained_in:
        settings["recipe"] = {**settings["recipe"], "precision": precision}
        experiment = experiment_of(settings, data)
    if trained_on != experiment.sees(data):
        raise UserError(
            f"{key}={directory} was trained on other data than those that lie at {data.root} now; expected the same, "
            "for their mean and their maps. Prepare them as they were."
        )
    chain = Chain(experiment)
    for phase in (chain.attention, chain.clustering, chain.predictor):
        if phase:
            phase.result = PhaseResult(phase.name, directory / phase.name, cached=True, record={})
    return TrainedRun(directory, chain, chain.predictor.trained(), summary)


def as_it_was(settings: Settings, data: PackedData, what: str, commit: str | None) -> Experiment:
    """The experiment of a run's settings; UserError, beginning with `what`, for those of another version.

    commit: the one that the run was made with.
    """
    try:
        return experiment_of(settings, data)
    except (UserError, KeyError) as error:
        raise UserError(
            f"{what} was trained with settings that this version does not know (commit {(commit or 'unknown')[:7]}): "
            f"{error} Test it with that commit, or train it again."
        ) from error


def with_views_of(run: TrainedRun, other: TrainedRun) -> Predictor:
    """The predictor of `run`, tested under the maps of `other`: the same network sees other views.

    Raises UserError where `other` has no views, or for images of another size.
    """
    theirs = other.predictor
    if not isinstance(theirs, Predictor) or not theirs.regions.hides:
        raise UserError(
            f"views_from={other.directory}: its scheme ({other.experiment.scheme.name}) hides nothing, so it has no "
            "views."
        )
    sight = theirs.sight
    if sight.follows_predictor:  # and does not look at itself
        sight = RunAttention(sight.attention, sight.data, theirs, sight.stored)
    ours, data = run.experiment, other.chain.run.data
    task = Predictor(run.predictor.network, data, ours.recipe, ours.seed, theirs.scheme, sight)
    size = ours.data.image_size
    needed, stored = task.region_state.state_dict(), theirs.region_state.state_dict()
    if task.image_size != size or any(needed[name].shape != stored[name].shape for name in needed):
        raise UserError(
            f"views_from={other.directory}: its maps are not for what {run.directory} sees; expected images of "
            f"{size[0]}x{size[1]} pixels, and the same recipe.crop."
        )
    for name in ("mean", "std"):
        getattr(task, name).copy_(getattr(run.predictor, name))
    task.region_state.load_state_dict(stored)
    return task
