"""A packed dataset as the batches that Lightning trains on."""

from itertools import islice

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from fer_perturb.data.loading.batches import Batch, Batches, ResidentBatches, ShuffledBatches, rows_in_order
from fer_perturb.data.packed.packed_data import PackedData
from fer_perturb.data.quality.clean import kept_rows
from fer_perturb.errors import UserError


class FaceDataModule(pl.LightningDataModule):
    """A packed dataset as batches.

    `mean` and `std` are the training split's own, of grey values in [0, 1]. `clean` trains on `kept_rows` alone;
    UserError where there are none.
    """

    def __init__(self, data: PackedData, *, batch_size: int, seed: int, clean: bool) -> None:
        super().__init__()
        self.packed = data
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
        return rows_in_order(self.batches("val"), np.arange(process, len(self.packed.splits["val"]), processes))

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
        names = self.packed.splits["train"].names
        return [names[row] for row in next(islice(sampler, step, None))]

    def in_order(self, split: str) -> DataLoader[Batch]:
        """All images of a split once, in their packed order, not augmented."""
        return rows_in_order(self.batches(split), np.arange(len(self.packed.splits[split])))

    def batches(self, split: str) -> Batches | ResidentBatches:
        """A split where the trainer wants it: as a whole on its device, copied once, unless that is the CPU."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if device.type == "cpu":
            return Batches(self.packed.splits[split])
        if split not in self.resident:
            self.resident[split] = ResidentBatches(self.packed.splits[split], device)
        return self.resident[split]


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
