"""The jobs of a sweep, as Hydra composes them, and the command that runs one of them alone."""

import argparse
import re
import sys
from collections.abc import Container, Sequence
from dataclasses import dataclass

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

OF_A_SWEEP = ("hydra.mode=", "hydra.sweep", "hydra/sweeper=", "hydra.launcher", "hydra/launcher=")
OF_SUBMIT = {"engine", "action"}  # keys that `submit` has and `train` has not


@dataclass(frozen=True)
class Composed:
    """A job: its config, the overrides that make it, and the words that follow `python -m fer_perturb.train` for it."""

    config: DictConfig
    overrides: list[str]
    words: list[str]


def in_a_sweep() -> bool:
    """Whether the job that Hydra is at is one of a multirun."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def composed_here(config: DictConfig) -> Composed:
    """The job that Hydra is at."""
    given = HydraConfig.get().overrides
    others = [word for word in given.hydra if not word.startswith(OF_A_SWEEP)]
    own = [word for word in without(OF_SUBMIT, given.task) if not word.startswith("launcher")]
    # an experiment is a multirun, unless it is told not to be
    return Composed(config, list(given.task), [*flags(sys.argv[1:]), *own, *others, "hydra.mode=RUN"])


def typed(key: str) -> bool:
    """Whether this command line sets the key itself, as an experiment may as well."""
    return len(without({key}, sys.argv[1:])) < len(sys.argv[1:])


def without(keys: Container[str], words: Sequence[str]) -> list[str]:
    """The words of a command line that set none of these keys, nor what is under them."""
    return [word for word in words if re.split(r"[.=]", word.lstrip("+~"))[0] not in keys]


def sweep_of_train() -> list[str]:
    """What follows `python -m fer_perturb.train` for the sweep of this command line of `submit`."""
    return ["-m", *(word for word in without(OF_SUBMIT, sys.argv[1:]) if word not in ("-m", "--multirun"))]


def flags(words: Sequence[str]) -> list[str]:
    """Those of a command line that say where its configs lie."""
    parser = argparse.ArgumentParser(add_help=False)
    for name, short in (("dir", "d"), ("path", "p"), ("name", "n")):
        parser.add_argument(f"--config-{name}", f"-c{short}")
    given, _ = parser.parse_known_args(words)
    return [f"--{name.replace('_', '-')}={value}" for name, value in vars(given).items() if value is not None]
