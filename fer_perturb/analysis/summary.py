"""A run in one dictionary: summary.json (docs/design.md: contract)."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb.analysis.metrics import accuracy, scores
from fer_perturb.analysis.predictions import Predictions, read_predictions
from fer_perturb.analysis.selections import by_votes, without_twins
from fer_perturb.data.packed import PackedData
from fer_perturb.errors import UserError, warn
from fer_perturb.experiment.experiment import Experiment
from fer_perturb.experiment.identity import run_hash
from fer_perturb.runs.phase_cache import PhaseResult, content_key
from fer_perturb.runs.run_directory import commit, read_summary, write_summary
from fer_perturb.runs.summary_file import SUMMARY
from fer_perturb.tasks.chain import Chain

EPOCHS = {"clusters", "curve"}  # of a phase's record: what has a row an epoch, and stays there


def summarise(chain: Chain, phases: dict[str, PhaseResult | None]) -> dict[str, Any]:
    """Computes the summary of a finished run from its predictions, and writes it."""
    experiment, data = chain.experiment, chain.experiment.data
    name, inference, tta = data.name, experiment.scheme.inference, experiment.recipe.tta
    train_identities = data.splits["train"].identities()  # tell the test images with a twin
    trained = phases["predictor"]
    assert trained is not None
    summary = {
        **_what(experiment),
        "phases": {
            "attention": _classifier_phase(phases["attention"], name, "original", tta, train_identities),
            "clustering": _clustering_phase(phases["clustering"], trained),
            "predictor": _classifier_phase(trained, name, inference, tta, train_identities),
        },
        **_scores(experiment, train_identities),
        "ferplus": _ferplus(experiment),
        "tested_on": experiment.tested_on(),
        "device": trained.record.get("device"),  # older ones do not say
        "train_seconds": trained.record["seconds"],
        "images_per_second": trained.record["images_per_second"],
    }
    return write_summary(experiment.directory, summary)


def summarise_ensemble(experiment: Experiment, members: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The same for an ensemble, which has no phases; `members` are its members' summaries by their names."""
    summary = {
        **_what(experiment),
        "phases": {"attention": None, "clustering": None, "predictor": None},
        "members": {name: member["config_hash"] for name, member in members.items()},
        "made_of": made_of(members),
        **_scores(experiment, experiment.data.splits["train"].identities()),
        "ferplus": _ferplus(experiment),
        "tested_on": experiment.tested_on(),
        "train_seconds": sum(member["train_seconds"] for member in members.values()),
        "images_per_second": None,
    }
    return write_summary(experiment.directory, summary)


def made_of(members: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The keys of the predictors that an ensemble is the mean of, from its members' summaries."""
    return {name: member["phases"]["predictor"]["key"] for name, member in members.items()}


def written_summary(run: Path) -> dict[str, Any] | None:
    """The summary in a run's folder; None where there is none yet, or, with a line that says so, a damaged one."""
    if not (run / SUMMARY).is_file():
        return None
    try:
        return read_summary(run, "run")
    except UserError as error:
        warn(str(error))
        return None


def finished_summary(chain: Chain) -> dict[str, Any] | None:
    """What `summarise` wrote for this very chain; None if it has not finished, or with other data or older code."""
    experiment, summary = chain.experiment, written_summary(chain.run.directory)
    if summary is None:
        return None
    if summary["phases"]["predictor"]["key"] != chain.predictor.key():
        return None
    if _votes_key(experiment.data) != (summary.get("ferplus") or {}).get("votes"):
        return None
    return summary if summary.get("tested_on") == experiment.tested_on() else None  # older ones do not say


def _what(experiment: Experiment) -> dict[str, Any]:
    return {
        "dataset": experiment.data.name,
        "model": experiment.network.name,
        "scheme": experiment.scheme.name,
        "seed": experiment.seed,
        "image_size": list(experiment.data.image_size),
        "precision": experiment.recipe.precision,
        "config_hash": run_hash(experiment.settings),
        "commit": commit(),
    }


def _scores(experiment: Experiment, train_identities: NDArray[np.bytes_]) -> dict[str, Any]:
    """What the run's predictions score, under the scheme's inference and under others."""
    inference, tta = experiment.scheme.inference, experiment.recipe.tta
    directory = experiment.directory / "predictions"
    path = directory / f"{experiment.data.name}.parquet"
    return {
        "inference": inference,
        "tta": tta,
        "val": _split_scores(path, "val", inference, tta, train_identities),
        "test": _split_scores(path, "test", inference, tta, train_identities),
        "test_original": _split_scores(path, "test", "original", tta, train_identities),
        "test_views": _split_scores(path, "test", "views", tta, train_identities),
        "test_no_tta": _split_scores(path, "test", inference, "none", train_identities),
        "test_on": {
            other: _split_scores(directory / f"{other}.parquet", "test", inference, tta, train_identities)
            for other in experiment.settings["test_on"]
        },
    }


def _split_scores(
    path: Path, split: str, inference: Any, tta: str, train_identities: NDArray[np.bytes_]
) -> dict[str, Any] | None:
    predictions = read_predictions(path, split=split, inference=inference, tta=tta)
    if predictions is None:
        return None
    return {**scores(predictions), "accuracy_no_twins": _accuracy_no_twins(predictions, train_identities)}


def _ferplus(experiment: Experiment) -> dict[str, Any] | None:
    """The scores of val and test against the plurality of FER+'s votes; None for data without votes."""
    data, way = experiment.data, (experiment.scheme.inference, experiment.recipe.tta)
    if not data.votes_identity:
        return None
    path = experiment.directory / "predictions" / f"{data.name}.parquet"
    found: dict[str, Any] = {"votes": _votes_key(data)}
    for split in ("val", "test"):
        predictions, votes = read_predictions(path, split=split, inference=way[0], tta=way[1]), data.splits[split].votes
        found[split] = None if predictions is None or votes is None else ferplus_scores(predictions, votes)
    return found


def ferplus_scores(predictions: Predictions, votes: NDArray[np.uint8]) -> dict[str, Any] | None:
    """Accuracy and balanced accuracy of predictions against the plurality of votes (N, 10), on the `n` images with one.

    None if there are none that the network knows (`by_votes`).
    """
    judged = by_votes(predictions, votes)
    if judged is None:
        return None
    both = scores(judged)
    return {"accuracy": both["accuracy"], "balanced_accuracy": both["balanced_accuracy"], "n": len(judged.labels)}


def _votes_key(data: PackedData) -> str | None:
    return content_key(data.votes_identity) if data.votes_identity else None


def _accuracy_no_twins(predictions: Predictions, train_identities: NDArray[np.bytes_]) -> float | None:
    """Accuracy on the images whose very pixels do not also stand in training; None if there are none."""
    alone = without_twins(predictions, train_identities)
    return accuracy(alone.logits, alone.labels) if alone else None


def _classifier_phase(
    phase: PhaseResult | None, name: str, inference: str, tta: str, train_identities: NDArray[np.bytes_]
) -> dict[str, Any] | None:
    if phase is None:
        return None
    path = phase.directory / "predictions" / f"{name}.parquet"
    record = {key: value for key, value in phase.summary.items() if key not in EPOCHS}
    both = {split: _split_scores(path, split, inference, tta, train_identities) for split in ("val", "test")}
    return {**record, **both}


def _clustering_phase(clustering: PhaseResult | None, trained: PhaseResult) -> dict[str, Any] | None:
    """The clusters of the tested checkpoint, and how much they changed from one re-clustering to the next."""
    history = trained.record.get("clusters")
    if not history:
        return None
    own = {"key": None, "cached": False, "seconds": 0.0} if clustering is None else clustering.summary
    tested = [entry for entry in history if entry["epoch"] <= trained.record["best_epoch"]][-1]
    changes = [entry.get("changed", 0.0) for entry in history[1:]]
    return {
        **own,
        **{key: tested.get(key) for key in ("inertia", "areas", "ari_position_only")},
        # what re-clustering took is part of phase 3's seconds
        "reclustering_seconds": sum(entry["seconds"] for entry in history),
        "changed": sum(changes) / len(changes) if changes else 0.0,
        "reclusterings": len(history),
    }
