"""Training with Lightning, resumed where it was interrupted; the best epoch on val is what is kept."""

import logging
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import Logger

from fer_perturb.data.datamodule import FaceDataModule
from fer_perturb.errors import UserError
from fer_perturb.tasks.classifier import MONITOR, Classifier
from fer_perturb.tasks.recipe import Recipe

logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # no advertisements, no lists of absent devices
warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")  # Lightning's own affair, once an epoch


class Stopwatch(pl.Callback):
    """Seconds spent in `fit`, over all of its pieces when it was interrupted and resumed."""

    def __init__(self) -> None:
        self.before = 0.0
        self.started = 0.0

    @property
    def seconds(self) -> float:
        return self.before + (time.perf_counter() - self.started if self.started else 0.0)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = time.perf_counter()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.before, self.started = self.seconds, 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.before = state_dict["seconds"]


def make_trainer(
    config: DictConfig,
    recipe: Recipe,
    directory: Path,
    logger: Logger | None,
    callbacks: Sequence[pl.Callback] = (),
) -> pl.Trainer:
    """Lightning's Trainer with the settings of conf/trainer and the recipe's epochs and precision."""
    bar = [TQDMProgressBar(refresh_rate=10)] if config.enable_progress_bar else []
    return pl.Trainer(
        **config,
        max_epochs=recipe.epochs,
        precision=recipe.precision,  # type: ignore[arg-type]
        default_root_dir=directory,
        logger=logger or False,
        callbacks=[*callbacks, *bar],
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        use_distributed_sampler=False,  # the order of images is our own
        log_every_n_steps=10,
    )


def fit(
    task: Classifier,
    data: FaceDataModule,
    *,
    config: DictConfig,
    directory: Path,
    logger: Logger | None,
    callbacks: Sequence[pl.Callback] = (),
) -> dict[str, Any]:
    """Trains `task`, leaves it with the weights of its best epoch on val, and returns what that took.

    Checkpoints lie in `directory`/checkpoints; training goes on from the last one that is there.
    """
    checkpoints = directory / "checkpoints"
    keep = ModelCheckpoint(
        dirpath=checkpoints,
        filename="best",
        monitor=MONITOR,
        mode="max",
        save_last=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    stopwatch = Stopwatch()
    trainer = make_trainer(config, task.recipe, directory, logger, [*callbacks, stopwatch, keep])
    last = checkpoints / "last.ckpt"
    trainer.fit(task, data, ckpt_path=last if last.is_file() else None, weights_only=True)
    if trainer.interrupted:  # Ctrl-C: Lightning returns as if all were well
        raise KeyboardInterrupt
    best = torch.load(checkpoints / "best.ckpt", map_location="cpu", weights_only=True)
    task.load_state_dict(best["state_dict"])
    if not all(bool(torch.isfinite(weights).all()) for weights in task.parameters()):
        raise UserError("Training diverged: weights are not finite. Set a lower recipe.optimizer.lr.")
    return {
        "seconds": stopwatch.seconds,
        "epochs": task.recipe.epochs,
        "best_epoch": int(best["epoch"]),
        "images": trainer.global_step * data.sampler.batch_size,
    }
