"""A run in one dictionary: summary.json (DESIGN: contract)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig

from fer_perturb.analysis.metrics import accuracy, scores
from fer_perturb.analysis.predictions import Predictions, read_predictions
from fer_perturb.data.clean import has_twin
from fer_perturb.data.packed import PackedData
from fer_perturb.errors import UserError, warn
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.phase_cache import PhaseResult
from fer_perturb.tasks.run_directory import SUMMARY, commit, config_hash, read_summary, write_summary


def summarise(chain: Chain, phases: dict[str, PhaseResult | None]) -> dict[str, Any]:
    """Computes the summary of a finished run from its predictions, and writes it."""
    config, run, data = chain.config, chain.run_directory, chain.data.data
    name, inference, tta = data.name, config.scheme.inference, config.recipe.tta
    train_identities = data.splits["train"].identities()  # tell the test images with a twin
    trained = phases["predictor"]
    assert trained is not None
    summary = {
        **_what(config, name),
        "phases": {
            "attention": _classifier_phase(phases["attention"], name, "original", tta, train_identities),
            "clustering": _clustering_phase(phases["clustering"], trained),
            "predictor": _classifier_phase(trained, name, inference, tta, train_identities),
        },
        **_scores(config, run, name, train_identities),
        "tested_on": chain.tested_on(),
        "train_seconds": trained.record["seconds"],
        "images_per_second": trained.record["images_per_second"],
    }
    return write_summary(run, summary)


def summarise_ensemble(
    config: DictConfig, run: Path, data: PackedData, members: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """The same for an ensemble, which has no phases; `members` are its members' summaries by their names."""
    summary = {
        **_what(config, data.name),
        "phases": {"attention": None, "clustering": None, "predictor": None},
        "members": {name: member["config_hash"] for name, member in members.items()},
        **_scores(config, run, data.name, data.splits["train"].identities()),
        "train_seconds": sum(member["train_seconds"] for member in members.values()),
        "images_per_second": None,
    }
    return write_summary(run, summary)


def finished_summary(chain: Chain) -> dict[str, Any] | None:
    """What `summarise` wrote for this very chain; None if it has not finished, or with other data or older code."""
    run = chain.run_directory
    if not (run / SUMMARY).is_file():
        return None
    try:
        summary = read_summary(run, "run")
    except UserError as error:
        warn(str(error))
        return None
    if summary["phases"]["predictor"]["key"] != chain.predictor_key():
        return None
    return summary if summary.get("tested_on") == chain.tested_on() else None  # older ones do not say


def _what(config: DictConfig, dataset: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "model": config.model.backbone,
        "scheme": config.scheme.name,
        "seed": config.seed,
        "precision": config.recipe.precision,
        "config_hash": config_hash(config),
        "commit": commit(),
    }


def _scores(config: DictConfig, run: Path, dataset: str, train_identities: NDArray[np.bytes_]) -> dict[str, Any]:
    """What the run's predictions score, under the scheme's inference and under others."""
    inference, tta = config.scheme.inference, config.recipe.tta
    path = run / "predictions" / f"{dataset}.parquet"
    return {
        "inference": inference,
        "tta": tta,
        "val": _split_scores(path, "val", inference, tta, train_identities),
        "test": _split_scores(path, "test", inference, tta, train_identities),
        "test_original": _split_scores(path, "test", "original", tta, train_identities),
        "test_views": _split_scores(path, "test", "views", tta, train_identities),
        "test_no_tta": _split_scores(path, "test", inference, "none", train_identities),
        "test_on": {
            other: _split_scores(run / "predictions" / f"{other}.parquet", "test", inference, tta, train_identities)
            for other in config.test_on
        },
    }


def _split_scores(
    path: Path, split: str, inference: Any, tta: str, train_identities: NDArray[np.bytes_]
) -> dict[str, Any] | None:
    predictions = read_predictions(path, split=split, inference=inference, tta=tta)
    if predictions is None:
        return None
    return {**scores(predictions), "accuracy_no_twins": _accuracy_no_twins(predictions, train_identities)}


def _accuracy_no_twins(predictions: Predictions, train_identities: NDArray[np.bytes_]) -> float | None:
    """Accuracy on the images whose very pixels do not also stand in training; None if there are none."""
    alone = torch.from_numpy(~has_twin(predictions.sha256, train_identities))
    return accuracy(predictions.logits[alone], predictions.labels[alone]) if bool(alone.any()) else None


def _classifier_phase(
    phase: PhaseResult | None, name: str, inference: str, tta: str, train_identities: NDArray[np.bytes_]
) -> dict[str, Any] | None:
    if phase is None:
        return None
    path = phase.directory / "predictions" / f"{name}.parquet"
    record = {key: value for key, value in phase.summary.items() if key != "clusters"}
    both = {split: _split_scores(path, split, inference, tta, train_identities) for split in ("val", "test")}
    return {**record, **both}


def _clustering_phase(clustering: PhaseResult | None, trained: PhaseResult) -> dict[str, Any] | None:
    """The clusters of the tested checkpoint, and how much they changed from one re-clustering to the next."""
    history = trained.record.get("clusters")
    if not history:
        return None
    own = {"key": None, "cached": False, "seconds": 0.0} if clustering is None else clustering.summary
    tested = [entry for entry in history if entry["epoch"] <= trained.record["best_epoch"]][-1]
    changes = [entry["changed"] for entry in history[1:]]
    return {
        **own,
        **{key: tested[key] for key in ("inertia", "areas", "ari_position_only")},
        # what re-clustering took is part of phase 3's seconds
        "reclustering_seconds": sum(entry["seconds"] for entry in history),
        "changed": sum(changes) / len(changes) if changes else 0.0,
        "reclusterings": len(history),
    }
