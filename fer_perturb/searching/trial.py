"""Trials: each is a run whose phase 3 is trained and not yet tested, so that nobody chooses by the test."""

from collections.abc import Callable, Mapping
from typing import Any

import optuna
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from fer_perturb.analysis.metrics import accuracy
from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.errors import UserError, say
from fer_perturb.searching.space import overrides
from fer_perturb.searching.study import Trials
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.training.classifier import MONITOR


class Reporter(Callback):
    """Reports the accuracy on val after each epoch, and ends the training where the pruner says so.

    before: what was reported already, epoch -> accuracy. It has no state in checkpoints, so that `train` needs none.
    """

    def __init__(self, trial: optuna.Trial, before: Mapping[int, float]) -> None:
        self.trial = trial
        self.reported: dict[int, float] = {}
        self.pruned = False
        self.best: float | None = None
        for epoch, value in before.items():
            self._report(value, epoch)

    def _report(self, value: float, epoch: int) -> None:
        if epoch not in self.reported:  # an epoch is trained again where its checkpoint was not yet written
            self.reported[epoch] = value
            self.trial.report(value, epoch)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report(float(trainer.callback_metrics[MONITOR]), trainer.current_epoch)
        last = trainer.current_epoch + 1 == trainer.max_epochs
        if not last and self.trial.should_prune():
            self.pruned = trainer.should_stop = True  # after this epoch's checkpoint

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Also where all epochs had been trained before."""
        (best,) = [of for of in trainer.checkpoint_callbacks if isinstance(of, ModelCheckpoint) and of.monitor]
        assert best.best_model_score is not None
        self.best = float(best.best_model_score)


def make_trials(trials: Trials, most: int, chain_of: Callable[[dict[str, Any]], Chain]) -> None:
    """Makes trials until there are `most`; chain_of: the chain of a point."""
    while True:
        with trials.next(most) as trial:
            if trial is None:
                return
            say(f"Trial {trial.number}: {' '.join(overrides(trial.params))}")
            reached = validated(chain_of(trial.params), Reporter(trial, trials.values_before(trial)))
            trials.end(trial, reached)
            say(f"Trial {trial.number}: {'ended early' if reached is None else f'{100 * reached:.2f} % on val'}")


def refuse_what_cannot_work(chain: Chain) -> None:
    """UserError for what would let every trial fail."""
    if chain.run.trainer.world_size > 1:
        raise UserError("trainer.devices: expected 1, as each trial has one device; start several searches for more.")
    chain.refuse_what_cannot_work()


def validated(chain: Chain, reporter: Reporter) -> float | None:
    """Trains a chain; the accuracy on val of its best epoch, or None where it was ended early.

    Its test is left to `train` with the same overrides, which goes on from there.
    """
    finished = chain.train(reporter)
    if finished is None:
        return None if reporter.pruned else reporter.best
    path = finished / "predictions" / f"{chain.experiment.data.name}.parquet"
    found = read_predictions(path, split="val", inference=chain.experiment.scheme.inference, tta="none")
    assert found is not None
    return accuracy(found.logits, found.labels)
