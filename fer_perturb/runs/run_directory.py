"""A finished run on disk: its directory stands alone, and says whether it is whole."""

import platform
import subprocess
from functools import cache
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from fer_perturb.errors import UserError
from fer_perturb.files import sealed, sha256, write_json, write_text
from fer_perturb.runs.phase_cache import damage_of
from fer_perturb.runs.summary_file import MEND, SUMMARY, sealed_summary

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
    summary = sealed_summary(run, f"{key}={run}")
    for name, known in summary.get("files", {}).items():  # older ones do not say
        if not (run / name).is_file() or sha256(run / name) != known:
            raise UserError(f"{key}={run}: {name} is missing or damaged. {MEND}")
    for name, phase in summary["phases"].items() if phases else ():
        if phase and phase["key"] and (damage := damage_of(run / name)):
            raise UserError(f"{key}={run}: {name}/{damage}. {MEND}")
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
