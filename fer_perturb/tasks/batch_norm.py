"""Batch norm's statistics anew, from whole images: in training most of Perturb's images have something hidden."""

from collections.abc import Iterator

import pytorch_lightning as pl
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor
from torch.optim.swa_utils import update_bn
from tqdm import tqdm

from fer_perturb.data.augment import to_unit
from fer_perturb.data.datamodule import FaceDataModule
from fer_perturb.tasks.classifier import Classifier
from fer_perturb.tasks.seeds import derive, seed_step


def reestimate_batch_norm(task: Classifier, data: FaceDataModule, trainer: pl.Trainer) -> None:
    """Sets the running mean and variance of each batch norm to those over the training images as they are.

    Neither augmented nor masked, in their packed order, with dropout as in training. The weights stay.
    """
    device = trainer.strategy.root_device
    task.to(device)
    starts = range(0, len(data.train_rows), data.batch_size)

    def whole() -> Iterator[Tensor]:
        for start in tqdm(starts, "Batch norm", leave=False, disable=not trainer.progress_bar_callback):
            rows = data.train_rows[start : start + data.batch_size]
            images = to_unit(data.batches("train")[rows]["image"].to(device))
            for crop in task.crops(images, "none"):
                yield task.normalise(crop)

    with isolate_rng(), trainer.precision_plugin.forward_context():
        seed_step(device, derive(task.seed, "batch norm"))  # dropout draws
        update_bn(whole(), task.network)
