"""How a phase's training went, epoch by epoch."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PHASES = ("attention", "predictor")
MOST = 200  # points of a line: of more epochs every so manieth


@dataclass(frozen=True)
class Curve:
    """epochs: counted from 1. loss: the mean over an epoch's steps; accuracy, balanced: on val, shares."""

    epochs: list[int]
    loss: list[float | None]
    accuracy: list[float | None]
    balanced: list[float | None]


def curves_of(run: Path) -> dict[str, Curve]:
    """Phase -> its curve: what the phase recorded, or, of an older run, what it logged into a csv file."""
    found = {}
    for phase in PHASES:
        if rows := _recorded(run / phase / "phase.json") or _logged(run / "logs" / phase):
            kept = rows[:: -(-len(rows) // MOST)]
            columns = [[row[key] for row in kept] for key in ("loss", "accuracy", "balanced")]
            found[phase] = Curve([int(row["epoch"] or 0) + 1 for row in kept], *columns)
    return found


Row = dict[str, float | None]


def _recorded(record: Path) -> list[Row]:
    if not record.is_file():
        return []
    of = json.loads(record.read_text()).get("curve", [])
    return [
        {key: None if row.get(key) is None else float(row[key]) for key in ("epoch", "loss", "accuracy", "balanced")}
        for row in of
    ]


def _logged(folder: Path) -> list[Row]:
    """Of csv files, an interrupted run's too: what is logged of an epoch later takes the place of what was before."""
    by_epoch: dict[int, dict[str, list[float]]] = {}
    for file in sorted(folder.glob("*/metrics.csv")):
        with file.open(newline="") as opened:
            for row in csv.DictReader(opened):
                if row.get("epoch"):
                    of = by_epoch.setdefault(int(float(row["epoch"])), {})
                    for key in ("train/loss", "val/accuracy", "val/balanced_accuracy"):
                        if row.get(key):
                            of.setdefault(key, []).append(float(row[key]))
    return [
        {
            "epoch": epoch,
            "loss": _mean(of.get("train/loss", [])),
            "accuracy": _last(of.get("val/accuracy", [])),
            "balanced": _last(of.get("val/balanced_accuracy", [])),
        }
        for epoch, of in sorted(by_epoch.items())
    ]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _last(values: Iterable[float]) -> float | None:
    return next(reversed([*values]), None)
