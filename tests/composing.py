"""Configs for the tests, composed by Hydra as the command line does."""

import copy
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from fer_perturb.command_line.entry_point import conf_directory

TRAIN, VAL, TEST = 64, 16, 16  # drawn faces
BATCH = 8
DRAWING = (f"dataset.drawing.train={TRAIN}", f"dataset.drawing.val={VAL}", f"dataset.drawing.test={TEST}")


def composed(*overrides: str, name: str = "train") -> DictConfig:
    """conf/<name>.yaml with overrides: the caller's own copy, as Hydra takes a seventh of a second for each."""
    folders = [word for word in overrides if word.startswith("paths.")]  # they differ from test to test
    config = copy.deepcopy(_composed(name, tuple(word for word in overrides if word not in folders)))
    for word in folders:
        key, _, value = word.partition("=")
        OmegaConf.update(config, key, value)
    return config


@cache
def _composed(name: str, overrides: tuple[str, ...]) -> DictConfig:
    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        return compose(name, overrides=list(overrides))


def small(data: Path, outputs: Path, *overrides: str) -> DictConfig:
    """A chain on a few drawn faces: two epochs of three batches, in two seconds."""
    return composed(*small_overrides(data, outputs), *overrides)


def small_overrides(data: Path, outputs: Path) -> list[str]:
    """The overrides of `small`, for a command line."""
    return [
        "dataset=synthetic",
        *DRAWING,
        "model=resnet_tiny",
        "recipe=demo",
        "recipe.epochs=2",
        f"recipe.batch_size={BATCH}",
        "recipe.precision=32-true",
        "trainer.limit_train_batches=3",
        "trainer.accelerator=cpu",
        "trainer.enable_progress_bar=false",
        "logger=csv",
        "launcher=basic",
        f"paths.data={data}",
        f"paths.outputs={outputs}",
    ]


def choices(group: str) -> list[str]:
    """The names of all configs of a group."""
    return sorted(path.stem for path in (conf_directory() / group).glob("*.yaml"))
