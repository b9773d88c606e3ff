"""A scheme's attention on the images of a run: whose it is, and what phase 2 has stored of it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor, nn
from tqdm import tqdm

from fer_perturb.data.augmentation.augment import Augmentation, to_unit
from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.processes import share_buffers
from fer_perturb.schemes.attention.attention import Attention
from fer_perturb.schemes.regions.regions import Item
from fer_perturb.seeds import derive, seed_step
from fer_perturb.tasks.training.classifier import Classifier

MEAN, EACH = "attention.npy", "attention_per_image.npy"


class RunAttention:
    """The `Sight` of a run (schemes/regions/regions.py).

    attention: the scheme's, if it has any. data: what is trained on. frozen: phase 1's classifier; None where there is
    no phase 1. stored: the folder in which phase 2 has left `attention.npy`, float32 (H, W), what was
    clustered, and `attention_per_image.npy`, float16 (N, H, W), for maps per image; None without phase 2.
    """

    def __init__(
        self, attention: Attention | None, data: FaceDataModule, frozen: Classifier | None, stored: Path | None
    ) -> None:
        self.attention = attention
        self.data = data
        self.frozen = frozen
        self.predictor: Classifier | None = None
        self.stored = stored
        self.n_train = len(data.packed.splits["train"])

    @property
    def follows_predictor(self) -> bool:
        return self.attention is not None and self.attention.follows_predictor

    @property
    def classifier(self) -> Classifier | None:
        """Whose attention it is."""
        return self.frozen if self.predictor is None else self.predictor

    def followed(self, predictor: Classifier) -> "RunAttention":
        """The same of an attention that is the predictor's, unless it is another one's already."""
        own = RunAttention(self.attention, self.data, self.frozen, self.stored)
        own.predictor = predictor if self.frozen is None else None
        return own

    def of(self, images: Tensor) -> Tensor:
        return self.of_grey(to_unit(images))

    def of_grey(self, images: Tensor) -> Tensor:
        """float (B, 1, H, W) in [0, 1] -> float (B, H, W)."""
        assert self.attention is not None
        if self.frozen is not None:
            self.frozen.to(images.device).eval()
        return self.attention.maps(images, self.classifier)

    def of_training_images(self, rows: Tensor | slice) -> Tensor:
        assert self.stored is not None
        each = np.load(self.stored / EACH, mmap_mode="r", allow_pickle=False)
        chosen = each[rows.numpy() if isinstance(rows, Tensor) else rows]
        return torch.from_numpy(chosen.astype(np.float32))


class EpochAttention(RunAttention):
    """The `EpochSight` of a run: the same at the start of `epoch`, on `device`, with the run's `seed`.

    augmentation: what training makes of its images. together: whether all processes that train together are at it, and
    not the first alone. looked_at counts the images whose attention was computed.
    """

    def __init__(
        self,
        run: RunAttention,
        augmentation: Augmentation,
        *,
        epoch: int,
        seed: int,
        device: torch.device,
        together: bool = False,
        quiet: bool = True,
    ) -> None:
        super().__init__(run.attention, run.data, run.frozen, run.stored)
        self.predictor = run.predictor
        self.augmentation, self.epoch, self.seed, self.device, self.quiet = augmentation, epoch, seed, device, quiet
        self.together = together
        self.looked_at = 0
        self._average: tuple[Tensor, Tensor | None] | None = None

    def on_first_batch(self) -> Tensor:
        if self.epoch == 0 and self.stored is not None:
            return self._stored_mean()
        return self.on_batch(self.data.first_batch(self.epoch)["image"].to(self.device))

    def on_batch(self, images: Tensor) -> Tensor:
        """On the epoch's first batch, uint8 (B, 1, H, W), as training will augment it, summed over it: float32 (h, w).

        On the very pixels that training will see (one process; of several each draws for its own part).
        """
        with isolate_rng():
            seed_step(images.device, derive(self.seed, "step", self.epoch, 0, 0))
            augmented, _ = self.augmentation(images)
        self.looked_at += len(augmented)
        return self.of_grey(augmented).float().sum(dim=0)

    def on_average(self, each: bool) -> tuple[Tensor, Tensor | None]:
        if self.stored is not None:
            return self._stored_mean(), None
        if self._average is None:
            shape = (self.n_train, *self.data.packed.image_size)
            total = AttentionSum(self.data, np.empty(shape, dtype=np.float16) if each else None)
            for batch in self.progress(self.data.in_order("train"), "Attention"):
                total.add(batch["index"], self.of(batch["image"].to(self.device)))
            self.looked_at += self.n_train
            self._average = total.mean(), None if total.each is None else torch.from_numpy(total.each)
        return self._average

    def of_validation_images(self) -> Iterator[Tensor]:
        for batch in self.progress(self.data.in_order("val"), "Clusters of val"):
            self.looked_at += len(batch["index"])
            yield self.of(batch["image"].to(self.device))

    def share(self, state: nn.Module) -> None:
        if self.together:
            share_buffers(state)

    def progress(self, work: Iterable[Item], title: str) -> Iterable[Item]:
        bar: Iterable[Item] = tqdm(work, title, leave=False, disable=self.quiet)
        return bar

    def _stored_mean(self) -> Tensor:
        assert self.stored is not None
        return torch.from_numpy(np.load(self.stored / MEAN, allow_pickle=False))


class AttentionSum:
    """Adds up attention maps: their mean over the images trained on, and, where wanted, each of them."""

    def __init__(self, data: FaceDataModule, each: NDArray[np.float16] | None) -> None:
        self.counts = np.zeros(len(data.packed.splits["train"]), dtype=bool)
        self.counts[data.train_rows] = True
        self.total = torch.zeros(data.packed.image_size, dtype=torch.float64)
        self.each = each

    def add(self, index: Tensor, maps: Tensor) -> None:
        """index: int64 (B,); maps: float (B, H, W)."""
        at = index.cpu().numpy()
        maps = maps.float().cpu()
        self.total += maps[torch.from_numpy(self.counts[at])].double().sum(dim=0)
        if self.each is not None:
            self.each[at] = maps.numpy()

    def mean(self) -> Tensor:
        """float32 (H, W)."""
        return (self.total / int(self.counts.sum())).float()


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
