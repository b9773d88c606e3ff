"""What each epoch of a training reached, kept with the phase whatever its logger is."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

SCORES = {"accuracy": "val/accuracy", "balanced": "val/balanced_accuracy"}


class Curve(pl.Callback):
    """`epochs`: a row an epoch: epoch (from 0), loss (the mean over its steps, of this process), and the scores on val.

    Over all pieces of a training that was interrupted. The losses are added up on their device.
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, Any]] = []
        self.sum: Tensor | None = None
        self.steps = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.sum, self.steps = torch.zeros((), device=pl_module.device), 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, number: int
    ) -> None:
        assert self.sum is not None
        self.sum += outputs["loss"]
        self.steps += 1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert self.sum is not None
        found = {name: trainer.callback_metrics.get(key) for name, key in SCORES.items()}
        scores = {name: float(value) for name, value in found.items() if value is not None}
        self.epochs.append({"epoch": trainer.current_epoch, "loss": float(self.sum) / max(self.steps, 1), **scores})

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epochs = list(state_dict["epochs"])
