"""A run's directory is named by its choices and the hash of its config, and stands alone."""

import copy
import hashlib
import json
import platform
import subprocess
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fer_perturb.errors import UserError
from fer_perturb.files import sealed, sha256, unbroken, write_json, write_text
from fer_perturb.tasks.phase_cache import damage_of

SUMMARY = "summary.json"

# where and how a run is shown does not change what it finds, and a budget's reference speaks through the epochs
NOT_CONTENT = {"logger", "paths", "budget_of", "table"}
NOT_CONTENT_OF_DATASET = {"reader", "maker"}  # they decide the data, whose arrays the phases' keys know
NOT_CONTENT_OF_TRAINER = {"accelerator", "devices", "strategy", "num_nodes", "enable_progress_bar"}
# keys that runs are older than count as absent at the value that all had before
YOUNGER = {"dataset.labels": "own", "dataset.drawing.strength": [0.3, 1.25]}
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
    content["dataset"] = {k: v for k, v in plain["dataset"].items() if k not in NOT_CONTENT_OF_DATASET}
    content["trainer"] = {k: v for k, v in plain["trainer"].items() if k not in NOT_CONTENT_OF_TRAINER}
    text = json.dumps(without_younger(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def without_younger(content: dict[str, Any]) -> dict[str, Any]:
    """A resolved config without the keys of YOUNGER that have the value of before."""
    content = copy.deepcopy(content)
    for name, before in YOUNGER.items():
        *groups, key = name.split(".")
        group: Any = content
        for part in groups:
            group = group.get(part) or {}
        if group.get(key) == before:
            del group[key]
    return content


def run_directory(config: DictConfig) -> Path:
    """outputs/<dataset>/<model>/<scheme>/seed<k>-<h8>."""
    name = f"seed{config.seed}-{config_hash(config)}"
    return Path(config.paths.outputs, str(config.dataset.name), config.model.backbone, config.scheme.name, name)


def describe_run(config: DictConfig, run: Path) -> None:
    """Writes config.yaml and versions.json into the run's directory."""
    write_text(run / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    versions = {name: version(name) for name in PACKAGES if any(distributions(name=name))}
    write_json(run / "versions.json", {"python": platform.python_version(), **versions})


def write_summary(run: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """Writes summary.json, with what tells whether it and the files that it stands for are whole; what it wrote."""
    tested = sorted({summary["dataset"], *summary["test_on"]})
    files = ["config.yaml", *(f"predictions/{name}.parquet" for name in tested)]  # not what was evaluated since
    summary = {**summary, "files": {file: sha256(run / file) for file in files}}
    summary = sealed(summary)
    write_json(run / SUMMARY, summary)
    return summary


def read_summary(run: Path, key: str, *, phases: bool = True) -> dict[str, Any]:
    """The summary of a finished run.

    Raises UserError, naming the config key `key`, where `run` holds none, or one that is damaged or whose files are:
    config, predictions and, unless `phases` is false, what its phases left.
    """
    expected = "expected the directory of a finished run, such as outputs/<dataset>/<model>/<scheme>/seed0-<hash>."
    if not (run / SUMMARY).is_file():
        raise UserError(f"{key}={run} holds no {SUMMARY}: {expected}")
    mend = "The command that trained it mends it."
    try:
        summary: dict[str, Any] = json.loads((run / SUMMARY).read_text(encoding="utf-8"))
        made = [name for name, phase in summary["phases"].items() if phase and phase["key"]]
        if not unbroken(summary):
            raise ValueError("its checksum differs")
        files: dict[str, str] = summary.get("files", {})  # older ones do not say
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{key}={run}: {SUMMARY} is damaged ({error}). {mend}") from error
    for name, known in files.items():
        if not (run / name).is_file() or sha256(run / name) != known:
            raise UserError(f"{key}={run}: {name} is missing or damaged. {mend}")
    for phase in made if phases else []:
        if damage := damage_of(run / phase):
            raise UserError(f"{key}={run}: {phase}/{damage}. {mend}")
    return summary


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
