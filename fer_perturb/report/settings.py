"""Which runs of a command may stand in one table."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fer_perturb.tasks.run_directory import NOT_CONTENT, NOT_CONTENT_OF_TRAINER, without_younger

Run = tuple[Path, dict[str, Any]]  # a run's directory and its summary


def settings(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs in groups, in which nothing but seed, scheme, what is hidden, and what they are tested on differs.

    FER2013 and MaskFer, whose faces are the same, stand together. In the summaries that come back, schemes of one name
    with different keys have those keys beside their names, so that they are not taken for seeds of each other.
    """
    groups: dict[str, list[tuple[Run, dict[str, Any]]]] = {}
    for run in runs:
        plain: Any = OmegaConf.to_container(OmegaConf.load(run[0] / "config.yaml"))
        config = without_younger(plain)
        phase_1 = config.pop("attention_model")
        scheme = {**config.pop("scheme"), "attention_model": phase_1["backbone"], "at": phase_1["attention"]["at"]}
        if config["budget"] != "epochs":
            del config["recipe"]["epochs"], scheme["attention_epochs"]  # they follow from the scheme
        dataset = config.pop("dataset")
        config["data"] = dataset["name"].replace("maskfer", "fer2013"), dataset.get("unplaced", "mean")
        config |= {key: dataset.get(key) for key in ("clean", "drawing", "labels")}
        config["trainer"] = {k: v for k, v in config["trainer"].items() if k not in NOT_CONTENT_OF_TRAINER}
        shared = {key: value for key, value in config.items() if key not in {"seed", "test_on", *NOT_CONTENT}}
        groups.setdefault(json.dumps(shared, sort_keys=True), []).append((run, scheme))
    return [_told_apart(of) for of in groups.values()]


def _told_apart(of: list[tuple[Run, dict[str, Any]]]) -> list[Run]:
    told = []
    for (directory, summary), scheme in of:
        same = [other for _, other in of if other["name"] == scheme["name"]]
        differing = [f"{key}={scheme[key]}" for key in scheme if any(other[key] != scheme[key] for other in same)]
        told.append((directory, {**summary, "scheme": ", ".join([scheme["name"], *differing])}))
    return told
