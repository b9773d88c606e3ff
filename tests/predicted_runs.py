"""Folders of finished runs with predictions whose truth is known, and nothing trained."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from generated_runs import generated_runs

from fer_perturb.data.emotions import EMOTIONS

IMAGES = 140


def predicted_runs(
    outputs: Path,
    overrides: Sequence[str],
    seeds: Sequence[int],
    right: float,
    *,
    classes: Sequence[str] = EMOTIONS,
    images: int = IMAGES,
) -> list[Path]:
    """A run a seed, each of which is right on that share of the images of each class, whichever way it reads them.

    The images of a class are the same for all; which ones a run fails at is drawn by its seed and scheme.
    """
    runs = generated_runs(outputs, [overrides], seeds)
    for run, seed in zip(runs, seeds, strict=True):
        write_predictions(run, seed, right, classes, images)
    return runs


def write_predictions(run: Path, seed: int, right: float, classes: Sequence[str], images: int) -> None:
    """Of the run's own dataset, by the image alone and, where it hides, by its views; and of each of four views."""
    summary = json.loads((run / "summary.json").read_bytes())
    labels = np.arange(images) % len(classes)
    draw = np.random.default_rng([seed, len(summary["scheme"])])
    ranks = draw.permutation(-(-images // len(classes)))[np.arange(images) // len(classes)]
    wrong = ranks >= right * (images / len(classes))
    answers = np.where(wrong, (labels + 1) % len(classes), labels)
    logits = 4 * np.eye(len(classes), dtype=np.float32)[answers]
    ways = [("original", -1), *(("views", view) for view in range(-1, 4) if summary["test_views"])]
    tables = [_rows(summary, labels, logits, classes, *way) for way in ways]
    (run / "predictions").mkdir(exist_ok=True)
    pq.write_table(pa.concat_tables(tables), run / "predictions" / f"{summary['dataset']}.parquet")


def _rows(summary, labels, logits, classes, inference, view):
    names = [f"row{k}" for k in range(len(labels))]
    rows = {"split": "test", "dataset": summary["dataset"], "inference": inference, "tta": summary["tta"]}
    columns = {key: [value] * len(labels) for key, value in rows.items()} | {"view": np.full(len(labels), view, "int8")}
    columns |= {"name": names, "sha256": names, "label": labels.astype(np.int8)}
    return pa.table(columns | {f"logit_{name}": logits[:, place] for place, name in enumerate(classes)})
