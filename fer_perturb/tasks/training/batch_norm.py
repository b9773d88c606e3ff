"""Batch norm's statistics anew, from whole images: in training most of Perturb's images have something hidden."""

import time
from collections.abc import Iterator

import pytorch_lightning as pl
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor
from torch.optim.swa_utils import update_bn
from tqdm import tqdm

from fer_perturb.data.augmentation.augment import to_unit
from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.seeds import derive, seed_step
from fer_perturb.tasks.training.classifier import Classifier


def reestimate_batch_norm(task: Classifier, data: FaceDataModule, trainer: pl.Trainer) -> dict[str, float]:
    """Sets the running mean and variance of each batch norm to their means over batches of whole training images.

    The images are neither augmented nor masked, in their packed order; what fills no batch is left out, so that each
    batch counts alike. Dropout is as in training. The weights stay. Returns what it took: seconds, and images.
    """
    started, device = time.perf_counter(), trainer.strategy.root_device
    task.to(device)
    size = data.sampler.batch_size
    starts = range(0, len(data.sampler) * size, size)

    def whole() -> Iterator[Tensor]:
        for start in tqdm(starts, "Batch norm", leave=False, disable=not trainer.progress_bar_callback):
            images = to_unit(data.batches("train")[data.train_rows[start : start + size]]["image"].to(device))
            for crop in task.crops(images, "none"):
                yield task.normalise(crop)

    with isolate_rng(), trainer.precision_plugin.forward_context():
        seed_step(device, derive(task.seed, "batch norm"))  # dropout draws
        update_bn(whole(), task.network)
    return {"seconds": time.perf_counter() - started, "images": len(starts) * size}
