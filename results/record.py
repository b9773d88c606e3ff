"""What is kept of a run: a row of confirm.csv, and a small file of what it answered, without any picture."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.errors import UserError
from fer_perturb.files import write_bytes, write_text
from fer_perturb.locks import lock_at

Arrays = dict[str, Any]  # arrays by name

HIDDEN = ("mouth", "eyes", "upper", "lower")
SETS = ("whole", "maskfer", *HIDDEN)  # what a run is tested on: whole faces, with masks, with a feature hidden
READINGS = ("original", "views")  # the image alone, and the mean over the views
FOREIGN = "perturb_views"  # a baseline's mean over the views of the block's `perturb`
METRICS = ("accuracy", "balanced_accuracy", "f1_macro")
LABELS, FERPLUS = "label", "ferplus"
STEP = 1 / 64  # of a stored logit
IDENTITY = ("arm", "network", "seed")
FACTS = (
    *("recipe", "precision", "device", "commit", "config_hash", "epochs", "best_epoch"),
    *("attention_seconds", "attention_flops", "predictor_seconds", "predictor_flops", "passes"),
    *("public_accuracy", "public_balanced_accuracy"),
)
SCORES = tuple(
    f"{tested}.{reading}.{metric}"
    for tested in (*SETS, FERPLUS)
    for reading in ((*READINGS, FOREIGN) if tested in ("whole", FERPLUS) else READINGS)
    for metric in METRICS
)
COLUMNS = (*IDENTITY, *FACTS, *SCORES)


def answers(file: Path, inference: Any, names: Sequence[str]) -> NDArray[np.float32] | None:
    """The logits (N, 7) of a run's predictions on the test split, in the order of `names`; None where there are none.

    MaskFer's images lie in another order than the faces under the masks, whose names they bear.
    Raises UserError where the images are others.
    """
    found = read_predictions(file, split="test", inference=inference, tta="none")
    if found is None:
        return None
    place = {name: row for row, name in enumerate(found.names.tolist())}
    if set(place) != set(names) or len(place) != len(found.names):
        raise UserError(f"{file}: expected the test images of the run's own data, each once. Prepare the data again.")
    logits: NDArray[np.float32] = found.logits.numpy()[[place[name] for name in names]]
    return logits


def write_answers(path: Path, logits: dict[str, NDArray[np.float32]]) -> None:
    """Writes what a run answered: for each "set.reading" the class (N,) uint8; of whole faces, float16 logits too.

    These are rounded to STEP, so that a file stays below 100 KB; the classes are those of the logits themselves.
    """
    arrays: Arrays = {}
    for key, values in logits.items():
        arrays[key] = values.argmax(axis=1).astype(np.uint8)
        if key.startswith("whole."):
            arrays[f"{key}.logits"] = (np.round(values / STEP) * STEP).astype(np.float16)
    write_arrays(path, arrays)


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Writes a compressed npz, whole or not at all."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    write_bytes(path, packed.getvalue())


def read_arrays(path: Path) -> Arrays:
    """What `write_arrays` wrote. Raises UserError where there is no such file."""
    if not path.is_file():
        raise UserError(f"{path} is missing: expected what a run answered. The command that made its row makes it too.")
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def scores(answered: NDArray[np.uint8], labels: NDArray[np.integer[Any]]) -> dict[str, float]:
    """METRICS of classes (N,) against labels (N,), shares in [0, 1]; images with the label -1 are left out.

    Balanced accuracy is the mean over the classes that are there of the share that is recognised.
    """
    answered, labels = answered[labels >= 0], labels[labels >= 0]
    there = np.unique(labels)
    right = [(answered[labels == k] == k).sum() for k in there]
    of_label, of_answer = [(labels == k).sum() for k in there], [(answered == k).sum() for k in there]
    f1 = [2 * r / (n + m) for r, n, m in zip(right, of_label, of_answer, strict=True)]
    recall = [r / n for r, n in zip(right, of_label, strict=True)]
    values = (float(np.mean(answered == labels)), float(np.mean(recall)), float(np.mean(f1)))
    return dict(zip(METRICS, values, strict=True))


def scores_of(stored: Arrays, labels: Arrays) -> dict[str, float]:
    """All SCORES that a run's answers give; whole faces also against FER+'s plurality, where it is one of the seven."""
    found: dict[str, float] = {}
    for key in (key for key, values in stored.items() if values.ndim == 1):
        tested, reading = key.split(".")
        found |= {f"{key}.{name}": value for name, value in scores(stored[key], labels[LABELS]).items()}
        if tested == "whole" and (labels[FERPLUS] >= 0).any():
            voted = scores(stored[key], labels[FERPLUS])
            found |= {f"{FERPLUS}.{reading}.{name}": value for name, value in voted.items()}
    return found


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a csv of runs; none where there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def add_row(path: Path, row: dict[str, Any]) -> bool:
    """Adds a row unless the csv has one of that arm, network and seed; whether it did. Several processes may."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock_at(path.with_name(f".{path.name}.lock")):
        rows = read_rows(path)
        if any(all(str(row[key]) == old[key] for key in IDENTITY) for old in rows):
            return False
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*rows, {key: _plain(value) for key, value in row.items()}])
        write_text(path, text.getvalue())
        return True


def _plain(value: Any) -> Any:
    """Shares to six digits, which is more than 3,589 images tell."""
    return f"{value:.6f}" if isinstance(value, float) and value < 1 else value


def phase_of(run: Path, name: str) -> dict[str, Any]:
    """What a phase of a finished run recorded in its summary; nothing where it has none."""
    found: dict[str, Any] | None = json.loads((run / "summary.json").read_text())["phases"][name]
    return found or {}
