"""Phase 2: the pixels are clustered by position and attention (paper, section 3, Eq. 1)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.utils.data import DataLoader

from fer_perturb.data.augmentation.augment import Augmentation
from fer_perturb.data.loading.batches import Batch
from fer_perturb.files import write_bytes, write_npy
from fer_perturb.schemes.regions.regions import Record, Regions
from fer_perturb.tasks.phases.sight import EACH, MEAN, AttentionSum, EpochAttention, RunAttention

VERSION = 4  # raise it when the phase's result changes: stored results of older versions are not used again
STATE = "clusters.safetensors"


class AttentionClustering(pl.LightningModule):
    """The frozen attention looks at the training images, and the regions of epoch 0 are made from what it attends to.

    `trainer.predict` on it leaves in `directory` the attention (see RunAttention) and the regions' state, and in
    `record` what there is to say of them.

    state: the regions'. attention: the run's, nothing of it stored yet. augmentation: what training does to images.
    """

    def __init__(
        self,
        regions: Regions,
        state: nn.Module,
        attention: RunAttention,
        augmentation: Augmentation,
        directory: Path,
        seed: int,
    ) -> None:
        super().__init__()
        self.regions = regions
        self.region_state = state
        self.classifier = attention.classifier  # so that it goes to the device
        self.attention = attention
        self.augmentation = augmentation
        self.directory = directory
        self.seed = seed
        self.looked_at = 0
        self.record: Record = {}

    def predict_dataloader(self) -> DataLoader[Batch]:
        if self.regions.frame == "input":
            only: Any = [self.attention.data.first_batch(0)]
            return DataLoader(only, batch_size=None)
        return self.attention.data.in_order("train")

    def on_predict_start(self) -> None:
        each = None
        if self.regions.of_each_image:
            shape = (self.attention.n_train, *self.attention.data.packed.image_size)
            each = np.lib.format.open_memmap(self.directory / EACH, mode="w+", dtype=np.float16, shape=shape)
        self.sum = AttentionSum(self.attention.data, each)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The attention on the batch: of each image, float (B, H, W), or of all together, float32 (H, W)."""
        if self.regions.frame == "input":
            sight = self._sight()
            self.mean = sight.on_batch(batch["image"])
            self.looked_at += sight.looked_at
            return self.mean
        maps = self.attention.of(batch["image"])
        self.sum.add(batch["index"], maps)
        self.looked_at += len(maps)
        return maps

    def on_predict_end(self) -> None:
        if self.regions.frame != "input":
            self.mean = self.sum.mean()
        if isinstance(self.sum.each, np.memmap):
            self.sum.each.flush()
        write_npy(self.directory / MEAN, self.mean.cpu().numpy())
        self.attention.stored = self.directory
        sight = self._sight()
        self.regions.name(self.region_state, sight)
        self.record = {"epoch": 0, **self.regions.update(self.region_state, sight)}
        write_bytes(self.directory / STATE, save(dict(self.region_state.state_dict())))

    def _sight(self) -> EpochAttention:
        return EpochAttention(self.attention, self.augmentation, epoch=0, seed=self.seed, device=self.device)


def load_state(directory: Path, state: nn.Module) -> None:
    """Sets the regions' state to what phase 2 has left."""
    state.load_state_dict(load_file(directory / STATE))
