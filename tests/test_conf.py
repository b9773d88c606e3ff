"""Every config composes, every key is read, and conf/ goes where the package goes."""

import ast
import subprocess
import sys
import zipfile
from dataclasses import fields
from itertools import product
from pathlib import Path

import pytest
from composing import choices, composed
from omegaconf import DictConfig, OmegaConf

import fer_perturb
from fer_perturb.cli import conf_directory
from fer_perturb.data.augment import AugmentationSettings
from fer_perturb.tasks.recipe import Recipe
from fer_perturb.tasks.scheme import Scheme

PACKAGE = Path(fer_perturb.__file__).parent
GROUPS = ("dataset", "model", "attention_model", "scheme", "recipe", "trainer", "logger", "experiment")


@pytest.mark.parametrize(("group", "choice"), [(group, name) for group in GROUPS for name in choices(group)])
def test_every_config_composes(group: str, choice: str) -> None:
    fill = ["model.backbone=resnet18"] if (group, choice) == ("model", "timm") else []
    config = composed(f"{group}={choice}", *fill)
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    Recipe.from_config(config.recipe, (48, 48))
    Scheme.from_config(config.scheme)


@pytest.mark.parametrize("dataset", choices("dataset"))
def test_prepare_composes(dataset: str) -> None:
    config = composed(f"dataset={dataset}", name="prepare")
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)


def read_names() -> set[str]:
    """Every name that the package reads: attributes, and strings that may be keys."""
    names: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                names.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)
    return names


def leaves(config: DictConfig, under: str = "") -> list[str]:
    found = []
    for key in config:
        node = (
            OmegaConf.select(config, str(key), throw_on_missing=False)
            if not OmegaConf.is_missing(config, key)
            else None
        )
        path = f"{under}{key}"
        # what is instantiated or passed on as arguments is checked by the function that takes it
        passed_on = path in (
            "recipe.optimizer",
            "recipe.scheduler",
            "trainer",
            "model.kwargs",
            "attention_model.kwargs",
        )
        found += leaves(node, f"{path}.") if isinstance(node, DictConfig) and not passed_on else [path]
    return found


@pytest.mark.parametrize(("dataset", "logger"), list(product(choices("dataset"), choices("logger"))))
def test_every_key_is_read(dataset: str, logger: str) -> None:
    names = read_names()
    for key in leaves(composed(f"dataset={dataset}", f"logger={logger}")):
        assert key.split(".")[-1] in names, f"nothing reads {key}"


@pytest.mark.parametrize("settings", [Recipe, Scheme, AugmentationSettings])
def test_every_setting_is_read(settings: type) -> None:
    names = {
        node.attr
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    unread = {field.name for field in fields(settings)} - names - {"name"}  # the name names the run's directory
    assert not unread


def test_a_wheel_carries_configs_and_votes_and_works_anywhere(tmp_path: Path) -> None:
    root = conf_directory().parent
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        str(root),
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(tmp_path),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(installed)
    ask = [sys.executable, "-m", "fer_perturb.train", "--cfg", "job", "scheme=position_only"]
    shown = subprocess.run(
        ask, cwd=tmp_path, env={"PYTHONPATH": str(installed)}, check=True, capture_output=True, text=True
    ).stdout
    assert "attention_weight: 0.0" in shown
    where = [sys.executable, "-c", "import fer_perturb.cli as c; print(c.conf_directory())"]
    found = subprocess.run(
        where, cwd=tmp_path, env={"PYTHONPATH": str(installed)}, check=True, capture_output=True, text=True
    ).stdout
    assert Path(found.strip()) == installed / "fer_perturb" / "conf"
    for carried in ("ferplus_votes.npz", "ferplus_LICENSE.txt"):
        assert (installed / "fer_perturb" / "data" / carried).is_file()
