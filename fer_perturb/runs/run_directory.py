"""A finished run on disk: its directory stands alone, and says whether it is whole."""

import json
import platform
import subprocess
from functools import cache
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from fer_perturb.errors import UserError
from fer_perturb.files import sealed, sha256, unbroken, write_json, write_text
from fer_perturb.runs.phase_cache import damage_of

SUMMARY = "summary.json"

PACKAGES = (
    *("fer_perturb", "torch", "pytorch-lightning", "torchmetrics", "timm", "hydra-core", "numpy", "scipy"),
    *("faiss-gpu", "faiss-cpu"),
)


def describe_run(settings: dict[str, Any], run: Path) -> None:
    """Writes config.yaml and versions.json into the run's directory."""
    write_text(run / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(settings)))
    write_json(run / "versions.json", {"python": platform.python_version(), **installed()})


def read_settings(run: Path) -> dict[str, Any]:
    """What `describe_run` wrote into config.yaml. Raises OSError, ValueError or YAMLError where it cannot be read."""
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(run / "config.yaml")))


@cache
def installed() -> dict[str, str]:
    """The versions of the packages that a run depends on most."""
    return {name: version(name) for name in PACKAGES if any(distributions(name=name))}


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


@cache
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
