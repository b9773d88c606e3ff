"""`model=ensemble`: which runs it is the mean of."""

import shlex
from dataclasses import dataclass

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fer_perturb.errors import UserError
from fer_perturb.experiment.experiment import Experiment, experiment_of, open_experiment, resolved


@dataclass(frozen=True)
class Ensemble:
    """experiment: its own, as far as it has settings. members: those of its members; commands: what trains them."""

    experiment: Experiment
    members: dict[str, Experiment]
    commands: dict[str, str]


def open_ensemble(config: DictConfig) -> Ensemble:
    """The ensemble that conf/train.yaml, composed, describes with `model.members`, which maps names to model configs.

    A member is the run that `model=<name>` with everything else the same leaves. Raises UserError for settings that
    cannot work.
    """
    if config.model.small_input or config.model.kwargs or config.model.attention.at:
        raise UserError(
            f"model={config.model.backbone}: model.small_input, model.kwargs and model.attention are its members', not "
            "its own. Set model.members.<name>.attention.at, for example."
        )
    members = {name: _member(config, name) for name in config.model.members}
    own = experiment_of(resolved(config), next(iter(members.values())).data)
    return Ensemble(own, members, {name: _command(name) for name in members})


def _member(config: DictConfig, name: str) -> Experiment:
    """What `model=<name>` would have composed, within its budget; UserError, naming it, for a budget it cannot meet."""
    alone = config.copy()
    alone.model = config.model.members[name]
    try:
        return open_experiment(alone)
    except UserError as error:
        raise UserError(f"model.members.{name}: {error}") from error


def _command(name: str) -> str:
    """The command that trains a member as the ensemble was asked for, with what was said of that member."""
    given = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    own = f"model.members.{name}."
    others = [
        override.replace(own, "model.")
        for override in given
        if own in override or not override.lstrip("+~").startswith("model")
    ]
    return shlex.join(["python", "-m", "fer_perturb.train", f"model={name}", *others])
