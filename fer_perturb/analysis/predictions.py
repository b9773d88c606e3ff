"""Reading what a run predicted (docs/design.md: contract)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_perturb.tasks.training.write_predictions import COMBINED


@dataclass(frozen=True, eq=False)
class Predictions:
    """labels: int64 (N,); logits: float32 (N, classes); names: (N,); sha256: (N,) "S64"; classes: their names."""

    labels: Tensor
    logits: Tensor
    names: NDArray[np.str_]
    sha256: NDArray[np.bytes_]
    classes: tuple[str, ...]

    def rows(self, places: NDArray[np.intp]) -> "Predictions":
        """Those of some images, in the order of `places`."""
        chosen = torch.from_numpy(places)
        return Predictions(
            self.labels[chosen], self.logits[chosen], self.names[places], self.sha256[places], self.classes
        )

    def keys(self) -> NDArray[np.bytes_]:
        """(N,): what tells an image among all: its pixels and label, and a number where there are several of both."""
        return image_keys(self.sha256, self.labels.numpy())


def image_keys(identities: NDArray[np.bytes_], labels: NDArray[np.int64]) -> NDArray[np.bytes_]:
    """(N,): identity and label, and a number where there are several of both."""
    keys = np.char.add(identities, _numbered(labels))
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    number = np.empty(len(keys), dtype=np.int64)
    number[order] = np.arange(len(keys)) - np.repeat(starts, np.diff(np.append(starts, len(keys))))
    return np.char.add(keys, _numbered(number))


def _numbered(numbers: NDArray[np.int64]) -> NDArray[np.bytes_]:
    """(N,): a space and each number, of which there are few."""
    few, place = np.unique(numbers, return_inverse=True)
    return np.char.mod(" %d", few).astype("S")[place]


def ways(path: Path) -> list[tuple[Literal["original", "views"], str]]:
    """The ways of judging an image that a file of predictions holds, as (inference, tta), in order."""
    table = pq.read_table(path, columns=["inference", "tta"])
    return sorted(set(zip(table["inference"].to_pylist(), table["tta"].to_pylist(), strict=True)))


def read_predictions(
    path: Path, *, split: str, inference: Literal["original", "views"], tta: str, view: int = COMBINED
) -> Predictions | None:
    """One set of predictions from a run's parquet file; None where the run made none of that kind."""
    table = pq.read_table(path, filters=(pc.field("split") == split) & (pc.field("view") == view))
    chosen = pc.and_(pc.equal(table["inference"], inference), pc.equal(table["tta"], tta))
    table = table.filter(chosen)
    if len(table) == 0:
        return None
    columns = [name for name in table.column_names if name.startswith("logit_")]
    logits = np.stack([table[name].to_numpy() for name in columns], axis=1)
    return Predictions(
        labels=torch.from_numpy(table["label"].to_numpy().astype(np.int64)),
        logits=torch.from_numpy(logits),
        names=np.array(table["name"].to_pylist(), dtype=np.str_),
        sha256=np.array(table["sha256"].to_pylist(), dtype="S64"),
        classes=tuple(name.removeprefix("logit_") for name in columns),
    )
