"""Logits of every image on disk: what all tables and figures are computed from (docs/design.md)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_perturb.data.loading.batches import in_order
from fer_perturb.data.packed import PackedData
from fer_perturb.files import write_bytes
from fer_perturb.tasks.training.classifier import Classifier

COMBINED = -1  # the view number of the mean over the views, and of the image alone


def predict(task: Classifier, data: PackedData, trainer: pl.Trainer) -> dict[str, Tensor]:
    """Logits of val and test: split -> float32 (T, V, N, classes), T test-time crops, V views."""
    logits = {}
    for split in ("val", "test"):
        if not len(data.splits[split]):
            continue  # a dataset to test on
        batches: Any = trainer.predict(task, in_order(data.splits[split]), weights_only=True)
        logits[split] = torch.cat(batches, dim=2)
    return logits


def write_predictions(path: Path, data: PackedData, logits: Mapping[str, Tensor], tta: str) -> None:
    """Writes logits (see `predict`) as parquet, whole or not at all.

    A row for each split, image, inference, test-time augmentation and view.
    """
    tables = []
    for split, values in logits.items():
        crops = {"none": values[0]} | ({} if tta == "none" else {tta: values.mean(dim=0)})
        if tta == "ten":
            crops["flip"] = values[[0, len(values) // 2]].mean(dim=0)  # the first crop and its mirror image
        for name, per_view in crops.items():  # (V, N, classes)
            tables.append(_table(data, split, "original", name, COMBINED, per_view[-1]))
            if len(per_view) > 1:
                for view, one in enumerate(per_view):
                    tables.append(_table(data, split, "views", name, view, one))
                tables.append(_table(data, split, "views", name, COMBINED, per_view.mean(dim=0)))
    write_table(path, pa.concat_tables(tables))


def write_table(path: Path, table: pa.Table) -> None:
    """Writes `table` as parquet, whole or not at all."""
    packed = pa.BufferOutputStream()
    pq.write_table(table, packed, compression="zstd", write_page_checksum=True)
    write_bytes(path, memoryview(packed.getvalue()))


def _table(data: PackedData, split: str, inference: str, tta: str, view: int, logits: Tensor) -> pa.Table:
    rows = data.splits[split]
    count = len(rows)
    values: NDArray[np.float32] = logits.float().cpu().numpy()

    def constant(value: str) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int8)), pa.array([value]))

    columns = {
        "split": constant(split),
        "dataset": constant(data.name),
        "name": pa.array(rows.names),
        "sha256": pa.array([identity.decode() for identity in rows.identities()]),
        "label": pa.array(rows.labels.astype(np.int8)),
        "inference": constant(inference),
        "tta": constant(tta),
        "view": pa.array(np.full(count, view, dtype=np.int8)),
    }
    columns |= {f"logit_{name}": pa.array(values[:, k]) for k, name in enumerate(data.classes)}
    return pa.table(columns)
