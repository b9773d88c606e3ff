"""Folders of finished runs with the files that tables are made of, and nothing trained: thousands in seconds."""

import json
import random
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from composing import composed
from omegaconf import OmegaConf

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.experiment.identity import Settings, run_hash
from fer_perturb.files import sealed

TESTED_ON = ("maskfer", "fer2013+mouth@1", "fer2013+eyes@1")


def generated_runs(outputs: Path, sweep: Sequence[Sequence[str]], seeds: Sequence[int]) -> list[Path]:
    """A run for each seed of each list of overrides; where they lie. Scores are drawn at random."""
    runs = []
    for overrides in sweep:
        config = composed(*overrides, f"test_on=[{','.join(TESTED_ON)}]")
        config.paths.outputs = str(outputs)
        settings = cast(Settings, OmegaConf.to_container(config, resolve=True))
        text = OmegaConf.to_yaml(OmegaConf.create({**settings, "seed": -1}))
        runs += [_write({**settings, "seed": seed}, text.replace("seed: -1\n", f"seed: {seed}\n")) for seed in seeds]
    return runs


def _write(settings: Settings, config: str) -> Path:
    draw = random.Random(config)
    summary = _summary(settings, draw)
    place = summary["dataset"], summary["model"], summary["scheme"]
    run = Path(settings["paths"]["outputs"], *place, f"seed{settings['seed']}-{summary['config_hash']}")
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(config)
    files = {"config.yaml": sha256(config.encode()).hexdigest()}
    (run / "summary.json").write_text(json.dumps(sealed({**summary, "files": files}), indent=2))
    return run


def _summary(settings: Settings, draw: random.Random) -> dict[str, Any]:
    """As analysis/summary.py writes it."""
    clustered, name = settings["scheme"]["regions"] is not None, settings["dataset"]["name"]
    cost = {"cached": False, "seconds": draw.uniform(10, 99), "passes": 1000, "flops": 10**12, "device": "of steam"}
    of = {"key": f"{draw.getrandbits(64):016x}", **cost, "epochs": 20, "best_epoch": 17}
    trained = {**of, "val": _scores(draw), "test": _scores(draw)}
    clustering = {**cost, "key": of["key"], "inertia": draw.random(), "areas": [0.3, 0.3, 0.4], "changed": 0.1}
    return {
        "dataset": name,
        "model": settings["model"]["backbone"],
        "scheme": settings["scheme"]["name"],
        "seed": settings["seed"],
        "precision": "32-true",
        "config_hash": run_hash(settings),
        "commit": "0" * 40,
        "phases": {
            "attention": trained if clustered else None,
            "clustering": clustering if clustered else None,
            "predictor": trained,
        },
        "inference": settings["scheme"]["inference"],
        "tta": settings["recipe"]["tta"],
        **{split: _scores(draw) for split in ("val", "test", "test_original", "test_no_tta")},
        "test_views": _scores(draw) if clustered else None,
        "test_on": {other: _scores(draw) for other in TESTED_ON},
        "ferplus": None,
        "tested_on": dict.fromkeys(TESTED_ON, "0" * 16),
        "device": of["device"],
        "train_seconds": of["seconds"],
        "images_per_second": draw.uniform(100, 1000),
    }


def _scores(draw: random.Random) -> dict[str, Any]:
    of_class = {name: {"accuracy": draw.random(), "f1": draw.random(), "support": 500} for name in EMOTIONS}
    return {
        "accuracy": draw.random(),
        "balanced_accuracy": draw.random(),
        "f1_macro": draw.random(),
        "per_class": of_class,
        "accuracy_no_twins": draw.random(),
    }
