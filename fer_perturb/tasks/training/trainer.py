"""Training with Lightning, resumed where it was interrupted; the best epoch on val is what is kept."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import Logger

from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.errors import UserError
from fer_perturb.experiment.cost import steps_of_epoch
from fer_perturb.experiment.recipe import Recipe
from fer_perturb.processes import of_each, of_first
from fer_perturb.runs.phase_cache import CHECKPOINTS
from fer_perturb.tasks.training.checkpoints import BEST, LAST, WholeCheckpoints, resume_from
from fer_perturb.tasks.training.classifier import MONITOR, Classifier
from fer_perturb.tasks.training.curve import Curve
from fer_perturb.tasks.training.finite_steps import LOOK_EVERY, FiniteSteps
from fer_perturb.tasks.training.others_warnings import silence_others

ONE_TASK = "For one process in this allocation: srun --ntasks=1 --ntasks-per-node=1, or unset SLURM_NTASKS"


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


class Checkpoint(ModelCheckpoint):
    """Lightning's, which forgets its best score when its folder has been moved; this one does not."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def here(path: str) -> str:
            return str(Path(self.dirpath or "", Path(path).name)) if path else path

        moved = {key: here(state_dict[key]) for key in state_dict if key.endswith("_path")}
        scores = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **moved, "best_k_models": scores, "dirpath": self.dirpath})


class Bar(TQDMProgressBar):
    """Lightning's, with the loss of the last drawn step: `log(prog_bar=True)` would wait for it in each step."""

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        loss = trainer.callback_metrics.get("train/loss")
        shown = {} if loss is None else {"train/loss": f"{float(loss):.3f}"}
        return {**super().get_metrics(trainer, pl_module), **shown}


def make_trainer(
    settings: dict[str, Any],
    recipe: Recipe,
    directory: Path,
    logger: Logger | None,
    callbacks: Sequence[pl.Callback] = (),
    log_every: int = LOOK_EVERY,
) -> pl.Trainer:
    """Lightning's Trainer with the settings of conf/trainer and the recipe's epochs and precision; it logs every
    `log_every` steps.

    Raises UserError for settings that cannot work here, such as a GPU where there is none.
    """
    bar: list[pl.Callback] = [Bar(refresh_rate=10)] if settings["enable_progress_bar"] else []
    silence_others()
    try:
        trainer = _trainer(settings, recipe, directory, logger, [*callbacks, *bar], log_every)
    except (TypeError, ValueError, RuntimeError, MisconfigurationException) as error:  # of Slurm's variables, too
        raise UserError(f"trainer: Lightning cannot run this: {error}{_of_slurm(error)}") from error
    asked, launcher = settings.get("strategy", "auto"), trainer.strategy.launcher
    # what forks or spawns gives the weights back, and not what the callbacks counted; in a notebook "auto" forks
    whole = asked in ("auto", "ddp") and not (launcher and launcher.is_interactive_compatible)
    if trainer.world_size > 1 and not whole:
        raise UserError(
            f"trainer.strategy={asked} on {trainer.world_size} devices: expected ddp, in which each process runs the "
            "whole program and holds the whole network. Set trainer.strategy=ddp, or trainer=ddp "
            f"trainer.devices={trainer.world_size} (from a notebook: trainer.devices=1)."
        )
    return trainer


def _of_slurm(error: Exception) -> str:
    """What Lightning's advice for Slurm means here."""
    return f" Here `devices` is trainer.devices. {ONE_TASK}" if "SLURM" in str(error) else ""


def refuse_idle_tasks(trainer: pl.Trainer) -> None:
    """UserError where Slurm has started several processes, and `trainer` trains with one: each would do the same."""
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))  # set by srun
    if tasks > 1 and trainer.world_size == 1:
        raise UserError(
            f"trainer.devices=1, but srun has started {tasks} processes. For one run that they train together: "
            f"trainer.devices={tasks}. {ONE_TASK}"
        )


def on_one_device(settings: dict[str, Any], trainer: pl.Trainer) -> dict[str, Any]:
    """The settings of conf/trainer for the first device alone of those that `trainer` uses."""
    device = trainer.strategy.root_device
    alone = {"devices": 1 if device.index is None else [device.index], "strategy": "auto", "num_nodes": 1}
    return {**settings, **alone}


def _trainer(
    settings: dict[str, Any],
    recipe: Recipe,
    directory: Path,
    logger: Logger | None,
    callbacks: list[pl.Callback],
    log_every: int,
) -> pl.Trainer:
    return pl.Trainer(
        **settings,
        precision=cast(Any, recipe.precision),
        max_epochs=recipe.epochs,
        default_root_dir=directory,
        logger=logger or False,
        callbacks=callbacks,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        use_distributed_sampler=False,  # the order of images is our own
        log_every_n_steps=log_every,
    )


def fit(
    task: Classifier,
    data: FaceDataModule,
    *,
    settings: dict[str, Any],
    directory: Path,
    logger: Logger | None,
    callbacks: Sequence[pl.Callback] = (),
) -> dict[str, Any]:
    """Trains `task`, leaves it with the weights of its best epoch on val, and returns what that took.

    Checkpoints of the best and of the last epoch lie in `directory`/checkpoints; training goes on from the last, or
    from the best where that is damaged. Of several processes the first writes them, and all read them.

    Raises UserError where a step is not finite (see Classifier), or where a checkpoint cannot be written.
    """
    checkpoints = directory / CHECKPOINTS
    every_epoch: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    # the last one after the best, so that it knows the best's score
    best = Checkpoint(checkpoints, filename=Path(BEST).stem, monitor=MONITOR, mode="max", **every_epoch)
    last = Checkpoint(checkpoints, filename=Path(LAST).stem, **every_epoch)
    stopwatch, curve = Stopwatch(), Curve()
    log_every = max(1, min(LOOK_EVERY, steps_of_epoch(settings, data)))  # in each epoch at least once
    callbacks = [*callbacks, FiniteSteps(data), stopwatch, curve, best, last]
    trainer = make_trainer(settings, task.recipe, directory, logger, callbacks, log_every)
    resumed = of_first(lambda: resume_from(checkpoints, task))
    trainer.strategy.checkpoint_io = WholeCheckpoints()
    trainer.fit(task, data, ckpt_path=resumed, weights_only=True)
    # by all before the first goes on, and removes the checkpoints
    kept = of_each(lambda: torch.load(checkpoints / BEST, map_location="cpu", weights_only=True))
    task.load_state_dict(kept["state_dict"])
    return {
        "seconds": stopwatch.seconds,
        "epochs": trainer.current_epoch,  # fewer where a callback has stopped it
        "best_epoch": int(kept["epoch"]),
        "curve": curve.epochs,
        "images": (trainer.fit_loop.epoch_loop.total_batch_idx + 1) * data.sampler.batch_size,
    }
