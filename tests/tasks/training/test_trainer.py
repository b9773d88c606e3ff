"""What is kept while training."""

import errno
import shutil

import pytest
import pytorch_lightning as pl
import torch
from composing import BATCH, small
from rehearsed import rehearse

from fer_perturb.errors import UserError
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.training.trainer import Bar, Checkpoint, fit, make_trainer


def chain_and_task(config):
    chain = Chain(open_experiment(config))
    return chain, chain.predictor.task()


def run(config, directory):
    chain, task = chain_and_task(config)
    return fit(task, chain.run.data, settings=chain.experiment.trainer, directory=directory, logger=None)


def test_the_last_epoch_is_kept_even_when_it_is_not_the_best(data_directory, tmp_path, monkeypatch):
    rehearse(monkeypatch, [0.1, 0.3, 0.2])
    record = run(small(data_directory, tmp_path, "scheme=baseline", "recipe.epochs=3"), tmp_path)
    assert record["best_epoch"] == 1
    assert torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] == 1
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 2
    assert record["images"] == 3 * 3 * BATCH
    assert [of["epoch"] for of in record["curve"]] == [0, 1, 2]
    assert all(of["loss"] > 0 and 0 <= of["accuracy"] <= 1 and 0 <= of["balanced"] <= 1 for of in record["curve"])


def test_the_best_score_survives_a_move(data_directory, tmp_path):
    config = small(data_directory, tmp_path, "scheme=baseline", "recipe.epochs=2", "recipe.optimizer.lr=1e-12")
    run(config, tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    state = torch.load(tmp_path / "there" / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    (stored,) = [value for key, value in state.items() if "val/accuracy" in key]
    best = Checkpoint(tmp_path / "there" / "checkpoints", filename="best", monitor="val/accuracy", mode="max")
    best.load_state_dict(stored)
    assert best.best_model_score == stored["best_model_score"]
    assert best.best_model_path == str(tmp_path / "there" / "checkpoints" / "best.ckpt")
    assert list(best.best_k_models) == [best.best_model_path]


def test_training_goes_on_where_it_stopped(data_directory, tmp_path):
    config = small(data_directory, tmp_path, "scheme=baseline", "recipe.epochs=2")
    first = run(config, tmp_path)
    again = run(config, tmp_path)  # nothing is left to do
    assert again["best_epoch"] == first["best_epoch"]
    assert again["curve"] == first["curve"]
    assert len(first["curve"]) == 2
    assert again["seconds"] > first["seconds"] / 2  # what the first piece took is counted


def falling(optimizer, total_steps):
    """Somebody's schedule, which knows how many steps there are."""
    return torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=total_steps)


@pytest.mark.parametrize(
    ("scheduler", "rates"),
    [
        ([f"recipe.scheduler._target_={__name__}.falling"], [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]),  # in each step
        (
            ["recipe.scheduler._target_=torch.optim.lr_scheduler.CosineAnnealingLR", "+recipe.scheduler.T_max=2"],
            [1, 1, 1, 0.5, 0.5, 0.5],  # in each epoch
        ),
    ],
    ids=["takes total_steps", "does not"],
)
def test_a_schedule_moves_at_each_step_if_it_is_told_how_many_there_are(data_directory, tmp_path, scheduler, rates):
    given = ["scheme=baseline", "recipe.epochs=2", "~recipe.scheduler.max_lr", "~recipe.scheduler.pct_start"]
    chain, task = chain_and_task(small(data_directory, tmp_path, *given, *scheduler))
    seen = []

    class Rates(pl.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, number):
            seen.append(trainer.optimizers[0].param_groups[0]["lr"] / trainer.optimizers[0].defaults["lr"])

    fit(task, chain.run.data, settings=chain.experiment.trainer, directory=tmp_path, logger=None, callbacks=[Rates()])
    assert seen == pytest.approx(rates)


def test_a_cycle_too_short_to_rise_is_refused(data_directory, tmp_path):
    config = small(data_directory, tmp_path, "scheme=baseline", "recipe.epochs=1", "trainer.limit_train_batches=4")
    with pytest.raises(UserError, match=r"a cycle of 4 steps.*recipe\.epochs"):
        run(config, tmp_path)


def test_the_bar_shows_the_loss(data_directory, tmp_path):
    config = small(data_directory, tmp_path, "scheme=baseline", "trainer.enable_progress_bar=true")
    chain, task = chain_and_task(config)
    trainer = make_trainer(chain.experiment.trainer, task.recipe, tmp_path, None)
    trainer.fit(task, chain.run.data)
    bar = trainer.progress_bar_callback
    assert isinstance(bar, Bar)
    loss = float(trainer.callback_metrics["train/loss"])
    assert bar.get_metrics(trainer, task)["train/loss"] == f"{loss:.3f}"


@pytest.mark.parametrize(
    "error",
    [PermissionError(errno.EACCES, "Permission denied", "images.npy"), ConnectionError("no network"), MemoryError()],
    ids=lambda error: type(error).__name__,
)
def test_what_goes_wrong_in_training_is_not_taken_for_a_full_disk(data_directory, tmp_path, error):
    class Wrong(pl.Callback):
        def on_train_batch_start(self, *_):
            raise error

    chain, task = chain_and_task(small(data_directory, tmp_path, "scheme=baseline"))
    with pytest.raises(type(error)) as raised:
        fit(
            task,
            chain.run.data,
            settings=chain.experiment.trainer,
            directory=tmp_path,
            logger=None,
            callbacks=[Wrong()],
        )
    assert raised.value is error
