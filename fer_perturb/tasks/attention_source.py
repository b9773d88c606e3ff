"""Whose attention is clustered, and the maps of the training images."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor, nn

from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.tasks.classifier import Classifier
from fer_perturb.tasks.seeds import derive, seed_step


class AttentionSource:
    """Phase 1's frozen classifier, or the grey values, and what phase 2 stored; or, without them, the predictor."""

    def __init__(self, frozen: Classifier | None = None, clustering: Path | None = None) -> None:
        self.frozen = frozen
        self.clustering = clustering

    def classifier(self, predictor: Classifier) -> Classifier:
        """The classifier whose attention counts."""
        return predictor if self.frozen is None else self.frozen.to(predictor.device).eval()

    def stored_mean(self) -> Tensor:
        """What phase 2 clustered: float32 (H, W)."""
        assert self.clustering is not None
        return torch.from_numpy(np.load(self.clustering / "attention.npy", allow_pickle=False))

    def stored_rows(self, rows: Tensor | slice) -> Tensor:
        """Maps of training images, float32 (B, H, W); `scope=image` stores them as float16."""
        assert self.clustering is not None
        stored = np.load(self.clustering / "attention_per_image.npy", mmap_mode="r", allow_pickle=False)
        chosen = stored[rows.numpy() if isinstance(rows, Tensor) else rows]
        return torch.from_numpy(chosen.astype(np.float32))


class AttentionSum:
    """Adds up attention maps: their mean over the images trained on, and, where wanted, each of them."""

    def __init__(self, data: FaceDataModule, rows: NDArray[np.float16] | None) -> None:
        self.counts = np.zeros(len(data.data.splits["train"]), dtype=bool)
        self.counts[data.train_rows] = True
        self.total = torch.zeros(data.data.image_size, dtype=torch.float64)
        self.rows = rows

    def add(self, index: Tensor, maps: Tensor) -> None:
        """index: int64 (B,); maps: float (B, H, W)."""
        at = index.cpu().numpy()
        maps = maps.float().cpu()
        self.total += maps[torch.from_numpy(self.counts[at])].double().sum(dim=0)
        if self.rows is not None:
            self.rows[at] = maps.numpy()

    def mean(self) -> Tensor:
        """float32 (H, W)."""
        return (self.total / int(self.counts.sum())).float()


def first_batch_attention(classifier: Classifier, augmenter: Classifier, data: FaceDataModule, epoch: int) -> Tensor:
    """`scope=batch`: the attention on the batch that `epoch` starts with, summed over it: float32 (h, w).

    The batch is augmented by the very draw that training will make (one process; of several each draws for its own
    part), so the map lives in the frame of the network's input.
    """
    images = data.first_batch(epoch)["image"].to(augmenter.device)
    with isolate_rng():
        seed_step(images.device, derive(augmenter.seed, "step", epoch, 0, 0))
        augmented, _ = augmenter.augmentation(images)
    return classifier.attention(augmented).float().sum(dim=0)


@contextmanager
def undisturbed(trainer: Any, *modules: nn.Module) -> Iterator[None]:
    """Evaluates modules without a trace: random stream, training modes and gradients stay as they were."""
    modes = [(child, child.training) for module in modules for child in module.modules()]
    with isolate_rng(), torch.no_grad(), trainer.precision_plugin.forward_context():
        try:
            for module in modules:
                module.eval()
            yield
        finally:
            for child, training in modes:
                child.training = training
