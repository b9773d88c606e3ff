"""uint8 batches, cut by index: from memory-mapped arrays, or, where a GPU trains, on the GPU."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NotRequired, TypedDict

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fer_perturb.data.clean import kept_rows
from fer_perturb.data.packed import PackedData, Split
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


class FaceDataModule(pl.LightningDataModule):
    """A packed dataset as batches.

    `mean` and `std` are the training split's own, of grey values in [0, 1]. `clean` trains on `kept_rows` alone;
    UserError where there are none.
    """

    def __init__(self, data: PackedData, *, batch_size: int, seed: int, clean: bool) -> None:
        super().__init__()
        self.data = data
        self.batch_size = batch_size
        self.seed = seed
        self.resident: dict[str, ResidentBatches] = {}
        train = data.splits["train"]
        if not len(train):
            raise UserError(
                f"{data.root} holds a test split alone: it can be tested on (test_on, evaluate), not trained on."
            )
        self.train_rows = kept_rows(data) if clean else np.arange(len(train), dtype=np.int64)
        if not len(self.train_rows):
            raise UserError(
                f"dataset.clean=true leaves no training image of {data.root}: each of its {len(train)} also stands in "
                f"val or test, is constant, or has conflicting labels. Use dataset.clean=false, or prepare other data."
            )
        self.mean, self.std = grey_statistics(train.images)

    @property
    def sampler(self) -> ShuffledBatches:
        return ShuffledBatches(self.train_rows, self.batch_size, self.seed)

    def train_dataloader(self) -> DataLoader[Batch]:
        process, processes = self._place()
        sampler = ShuffledBatches(self.train_rows, self.batch_size, self.seed, process=process, processes=processes)
        return DataLoader(self.batches("train"), sampler=sampler, batch_size=None)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Each image once: of several processes each gets its own, and none is there twice to fill up."""
        process, processes = self._place()
        return _in_order(self.batches("val"), np.arange(process, len(self.data.splits["val"]), processes))

    def _place(self) -> tuple[int, int]:
        """The number of this process and how many train together."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def first_batch(self, epoch: int) -> Batch:
        """The batch that training on `epoch` starts with."""
        sampler = self.sampler
        sampler.set_epoch(epoch)
        return self.batches("train")[next(iter(sampler))]

    def names_of_step(self, epoch: int, step: int) -> list[str]:
        """The names of the images that a step of an epoch trains on, in all processes together."""
        sampler = self.sampler
        sampler.set_epoch(epoch)
        names = self.data.splits["train"].names
        return [names[row] for row in next(islice(sampler, step, None))]

    def in_order(self, split: str) -> DataLoader[Batch]:
        """All images of a split once, in their packed order, not augmented."""
        return _in_order(self.batches(split), np.arange(len(self.data.splits[split])))

    def batches(self, split: str) -> Batches | ResidentBatches:
        """A split where the trainer wants it: as a whole on its device, copied once, unless that is the CPU."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if device.type == "cpu":
            return Batches(self.data.splits[split])
        if split not in self.resident:
            self.resident[split] = ResidentBatches(self.data.splits[split], device)
        return self.resident[split]


def in_order(split: Split) -> DataLoader[Batch]:
    """All images of `split` once, in their packed order, from the memory map."""
    return _in_order(Batches(split), np.arange(len(split)))


def _in_order(batches: Dataset[Batch], rows: NDArray[np.int64]) -> DataLoader[Batch]:
    chunks: Any = np.split(rows, range(EVALUATION_BATCH, len(rows), EVALUATION_BATCH))
    return DataLoader(batches, sampler=chunks, batch_size=None)


def grey_statistics(images: NDArray[np.uint8], chunk: int = 512) -> tuple[float, float]:
    """Mean and standard deviation of all grey values, as numbers in [0, 1], exact and from little memory.

    A deviation of 0 (all pixels equal) is given as 1, so that it can be divided by.
    """
    counts = np.zeros(256, dtype=np.int64)
    for start in range(0, len(images), chunk):
        counts += np.bincount(images[start : start + chunk].reshape(-1), minlength=256)
    values = np.arange(256) / 255
    mean = float((counts * values).sum() / counts.sum())
    if np.count_nonzero(counts) == 1:
        return mean, 1.0
    return mean, float(np.sqrt((counts * (values - mean) ** 2).sum() / counts.sum()))
