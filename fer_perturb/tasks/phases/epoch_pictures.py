"""What a phase that trains shows of itself every few epochs."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger

from fer_perturb.tasks.phases.phase import Run, ShownPhase
from fer_perturb.tasks.phases.sight import undisturbed
from fer_perturb.tasks.training.classifier import Classifier


class EpochPictures(pl.Callback):
    """Calls the run's `show` at the end of every few epochs, in the process that has the phase's logger.

    Random stream, training modes and gradients stay as they were: with pictures a run finds what it finds without.
    """

    def __init__(self, run: Run, directory: Path, logger: Logger, every_n_epochs: int) -> None:
        self.run, self.directory, self.logger, self.every = run, directory, logger, every_n_epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        if (trainer.current_epoch + 1) % self.every:
            return
        with undisturbed(trainer, pl_module):
            epoch, step = trainer.current_epoch, trainer.global_step - 1
            phase = ShownPhase(
                pl_module, self.run.data, self.directory, self.logger, epoch=epoch, step=step, finished=False
            )
            self.run.show(phase)
