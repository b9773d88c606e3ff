"""uint8 batches, cut by index: from memory-mapped arrays, or, where a GPU trains, on the GPU."""

from collections.abc import Iterator
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fer_perturb.data.packed.split import Split
from fer_perturb.errors import UserError

EVALUATION_BATCH = 256  # images; it does not change any result


class Batch(TypedDict):
    image: Tensor  # uint8 (B, 1, H, W)
    label: Tensor  # int64 (B,)
    index: Tensor  # int64 (B,): the row in its split
    landmarks: NotRequired[Tensor]  # float (B, 68, 2), x and y in pixels, of data that have them


class Batches(Dataset[Batch]):
    """A split whose items are whole batches: `batches[rows]` for an array of rows."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __getitem__(self, rows: NDArray[np.int64]) -> Batch:
        batch: Batch = {
            "image": torch.from_numpy(self.split.images[rows]).unsqueeze(1),
            "label": torch.from_numpy(self.split.labels[rows].astype(np.int64)),
            "index": torch.from_numpy(rows),
        }
        if self.split.landmarks is not None:
            batch["landmarks"] = torch.from_numpy(self.split.landmarks[rows])
            if self.split.occluder:
                batch["image"] = self.split.occluder(batch["image"], batch["landmarks"])
        return batch


class ResidentBatches(Dataset[Batch]):
    """Like `Batches`, from a split that was copied to `device` as a whole (FER2013: 83 MB); only rows go there."""

    def __init__(self, split: Split, device: torch.device) -> None:
        self.images = torch.tensor(split.images, device=device).unsqueeze(1)
        self.labels = torch.tensor(split.labels, dtype=torch.int64, device=device)
        self.landmarks = None if split.landmarks is None else torch.tensor(split.landmarks, device=device)
        self.occluder = split.occluder

    def __getitem__(self, rows: NDArray[np.int64]) -> Batch:
        index = torch.from_numpy(rows).to(self.images.device, non_blocking=True)
        batch: Batch = {"image": self.images[index], "label": self.labels[index], "index": index}
        if self.landmarks is not None:
            batch["landmarks"] = self.landmarks[index]
            if self.occluder:
                batch["image"] = self.occluder(batch["image"], batch["landmarks"])
        return batch


class ShuffledBatches(Sampler[NDArray[np.int64]]):
    """Batches of rows in an order that depends on (seed, epoch) alone, so that resuming is exact.

    A last batch that would be smaller than the others is left out, unless it is the only one. Of `processes` that
    train together each gets an equal part of every batch, so that a batch is the same however many they are; UserError
    where it cannot be divided. Lightning calls `set_epoch`.
    """

    def __init__(
        self, rows: NDArray[np.int64], batch_size: int, seed: int, *, process: int = 0, processes: int = 1
    ) -> None:
        self.rows = rows
        self.batch_size = min(batch_size, len(rows))
        self.seed = seed
        self.epoch = 0
        self.process = process
        self.processes = processes
        if self.batch_size % processes:
            raise UserError(
                f"recipe.batch_size={self.batch_size} with {processes} processes: expected a multiple of {processes}, "
                "as each batch is divided among them."
            )

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.rows) // self.batch_size

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.rows)
        for step in range(len(self)):
            yield order[step * self.batch_size : (step + 1) * self.batch_size][self.process :: self.processes]


def in_order(split: Split) -> DataLoader[Batch]:
    """All images of `split` once, in their packed order, from the memory map."""
    return rows_in_order(Batches(split), np.arange(len(split)))


def rows_in_order(batches: Dataset[Batch], rows: NDArray[np.int64]) -> DataLoader[Batch]:
    """Some rows once, in that order."""
    chunks: Any = np.split(rows, range(EVALUATION_BATCH, len(rows), EVALUATION_BATCH))
    return DataLoader(batches, sampler=chunks, batch_size=None)
