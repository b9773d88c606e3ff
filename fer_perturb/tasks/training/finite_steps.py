"""A training that diverges ends at its first step that is not finite, and says which that was."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, distributed

from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.errors import UserError

SHOWN = 8  # images that a message names
LOOK_EVERY = 10  # steps, where a look means to wait for the device; the loss is logged as often


class FiniteSteps(pl.Callback):
    """Raises UserError with epoch, step, learning rate and images of the first loss that is not finite.

    The losses are compared on their device. The host looks at the outcome after each step on a CPU, and elsewhere only
    when it waits for the device anyway, to log; so does it where several processes must stop together. An epoch whose
    last update leaves weights that are not finite ends before its checkpoint is written.
    """

    def __init__(self, data: FaceDataModule) -> None:
        self.data = data
        self.rates: list[float] = []  # of this epoch's steps
        self.finite: Tensor | None = None  # how many steps of this epoch were finite before the first that was not
        self.all_finite: Tensor | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.rates = []
        self.finite = torch.zeros((), dtype=torch.int64, device=pl_module.device)
        self.all_finite = torch.ones((), dtype=torch.bool, device=pl_module.device)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, number: int) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, number: int
    ) -> None:
        assert self.finite is not None
        assert self.all_finite is not None
        self.all_finite &= outputs["loss"].isfinite()
        self.finite += self.all_finite
        alone_on_cpu = pl_module.device.type == "cpu" and trainer.world_size == 1
        if alone_on_cpu or (number + 1) % LOOK_EVERY == 0:
            self._look(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._look(trainer)
        if not bool(torch.stack([weights.isfinite().all() for weights in pl_module.parameters()]).all()):
            raise self._diverged(trainer, len(self.rates) - 1, "left weights that are not finite")

    def _look(self, trainer: pl.Trainer) -> None:
        assert self.finite is not None
        finite = self.finite.clone()
        if trainer.world_size > 1:
            distributed.all_reduce(finite, distributed.ReduceOp.MIN)
        if int(finite) < len(self.rates):
            raise self._diverged(trainer, int(finite), "has a loss that is not finite")

    def _diverged(self, trainer: pl.Trainer, step: int, what: str) -> UserError:
        epoch = trainer.current_epoch
        names = self.data.names_of_step(epoch, step)
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        kept = "what earlier epochs left is kept" if epoch else "nothing is kept"
        return UserError(
            f"Training diverged: step {step} of epoch {epoch} (both counted from 0) {what}. Learning rate "
            f"{self.rates[step]:.3g}, images {', '.join(names[:SHOWN])}{more}; {kept}. Set a lower recipe.optimizer.lr."
        )
