"""What decides a result: for a run's hash, for which runs stand in one table, and which are seeds of each other.

What decides a phase's result is said by the phase (tasks/phases), from the same parts.
"""

import copy
import hashlib
from typing import Any

from fer_perturb.files import canonical

Settings = dict[str, Any]
"""A resolved config, in plain dictionaries, lists and values."""

# where and how a run is shown does not change what it finds, and a budget's reference speaks through the epochs
NOT_CONTENT = {"logger", "paths", "budget_of", "table", "launcher", "sweep"}
NOT_CONTENT_OF_DATASET = {"reader", "maker"}  # they decide the data, whose arrays the phases' keys know
NOT_CONTENT_OF_TRAINER = {"accelerator", "devices", "strategy", "num_nodes", "enable_progress_bar"}


def run_hash(settings: Settings) -> str:
    """The first 8 hex digits of the sha256 of what decides the result."""
    return hashlib.sha256(canonical(decisive(settings)).encode()).hexdigest()[:8]


def decisive(settings: Settings) -> Settings:
    """The settings without logger, paths, devices and progress."""
    # the members of an ensemble have epochs of their own, so that there the reference tells
    left_out = NOT_CONTENT - {"budget_of"} if "members" in settings["model"] else NOT_CONTENT
    content = {key: value for key, value in settings.items() if key not in left_out}
    content |= of_callbacks(content.pop("callbacks", {}))
    content["dataset"] = {k: v for k, v in settings["dataset"].items() if k not in NOT_CONTENT_OF_DATASET}
    content["trainer"] = of_trainer(settings["trainer"])
    return content


def of_trainer(trainer: dict[str, Any]) -> dict[str, Any]:
    """What of conf/trainer decides a result."""
    return {key: value for key, value in trainer.items() if key not in NOT_CONTENT_OF_TRAINER}


def of_callbacks(callbacks: dict[str, Any]) -> dict[str, Any]:
    """All of conf/callbacks, where there are any: one may stop a training, or change weights."""
    return {"callbacks": callbacks} if callbacks else {}


def comparable(settings: Settings) -> tuple[str, Settings]:
    """What runs must share to stand in one table, as JSON, and what tells the schemes of such runs apart.

    Seed, scheme, what is hidden of the faces, and what is tested on may differ. FER2013 and MaskFer, whose faces are
    the same, stand together.
    """
    shared = copy.deepcopy(settings)
    phase_1 = shared.pop("attention_model")
    scheme = {**shared.pop("scheme"), "attention_model": phase_1["backbone"], "at": phase_1["attention"]["at"]}
    if shared["budget"] != "epochs":  # the epochs follow from the scheme
        del shared["recipe"]["epochs"]
        if isinstance(scheme.get("attention"), dict):
            scheme["attention"] = {**scheme["attention"], "epochs": None}
    dataset = shared.pop("dataset")
    shared["data"] = dataset["name"].replace("maskfer", "fer2013"), dataset.get("unplaced", "mean")
    shared |= {"clean": dataset["clean"], "drawing": dataset.get("drawing"), "labels": dataset.get("labels", "own")}
    shared["trainer"] = of_trainer(shared["trainer"])
    shared |= of_callbacks(shared.pop("callbacks", {}))
    kept = {key: value for key, value in shared.items() if key not in {"seed", "test_on", *NOT_CONTENT}}
    return canonical(kept), scheme
