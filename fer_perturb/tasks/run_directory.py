"""A run's directory is named by its choices and the hash of its config, and stands alone."""

import hashlib
import json
import platform
import subprocess
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fer_perturb.files import write_json, write_text

# where and how a run is shown does not change what it finds, and a budget's reference speaks through the epochs
NOT_CONTENT = {"logger", "paths", "budget_of", "table"}
NOT_CONTENT_OF_TRAINER = {"accelerator", "devices", "strategy", "num_nodes", "enable_progress_bar"}
PACKAGES = (
    *("fer_perturb", "torch", "pytorch-lightning", "torchmetrics", "timm", "hydra-core", "numpy", "scipy"),
    *("faiss-gpu", "faiss-cpu"),
)


def config_hash(config: DictConfig) -> str:
    """The first 8 hex digits of the sha256 of the resolved config without logger, paths, devices and progress."""
    plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    # the members of an ensemble have epochs of their own, so that there the reference tells
    left_out = NOT_CONTENT - {"budget_of"} if "members" in plain["model"] else NOT_CONTENT
    content = {key: value for key, value in plain.items() if key not in left_out}
    content["trainer"] = {k: v for k, v in plain["trainer"].items() if k not in NOT_CONTENT_OF_TRAINER}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def run_directory(config: DictConfig) -> Path:
    """outputs/<dataset>/<model>/<scheme>/seed<k>-<h8>."""
    name = f"seed{config.seed}-{config_hash(config)}"
    return Path(config.paths.outputs, str(config.dataset.name), config.model.backbone, config.scheme.name, name)


def describe_run(config: DictConfig, run: Path) -> None:
    """Writes config.yaml and versions.json into the run's directory."""
    write_text(run / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    versions = {name: version(name) for name in PACKAGES if any(distributions(name=name))}
    write_json(run / "versions.json", {"python": platform.python_version(), **versions})


def commit() -> str | None:
    """The git commit of this checkout, with "+" where files differ from it; None for an installed package."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
