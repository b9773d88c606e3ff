"""A run prints no warning that its reader can do nothing about, on a machine with many cores and a GPU as well."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from commanding import Commands
from composing import small_overrides
from lightning_fabric.utilities import data as lightning_data
from pytorch_lightning.accelerators import CUDAAccelerator
from pytorch_lightning.plugins import MixedPrecision
from pytorch_lightning.utilities import rank_zero_warn
from stepping import untrained

from fer_perturb.tasks.training import others_warnings, trainer
from fer_perturb.tasks.training.others_warnings import silence_others

pytestmark = pytest.mark.slow

HIDDEN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)  # by Python itself


class StopError(Exception):
    """Ends a training as a kill would."""


class Noted(logging.Handler):
    """What was warned of, and logged as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.logged: list[str] = []
        self.warned: list[warnings.WarningMessage] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.logged.append(f"{record.name}: {record.getMessage()}")

    @property
    def all(self) -> list[str]:
        return [*self.logged, *(f"{one.filename}:{one.lineno}: {one.message}" for one in self.warned)]


@contextmanager
def noted() -> Iterator[Noted]:
    """Each warning that Python would print, even if it has printed it before, and each logger's."""
    found, heed = Noted(), logging.Logger.handle

    def handle(logger: logging.Logger, record: logging.LogRecord) -> None:
        if record.levelno >= found.level:
            found.emit(record)
        heed(logger, record)

    with warnings.catch_warnings(record=True) as found.warned, pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.Logger, "handle", handle)  # whatever Hydra's configuration does to handlers
        warnings.resetwarnings()
        warnings.simplefilter("always")
        for category in HIDDEN:
            warnings.simplefilter("ignore", category)
        yield found


@pytest.fixture
def big_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """16 cores and a GPU, as far as Lightning's advice goes."""
    monkeypatch.setattr(lightning_data, "_num_cpus_available", lambda: 16)
    monkeypatch.setattr(CUDAAccelerator, "is_available", staticmethod(lambda: True))


def test_what_is_warned_of_is_noted() -> None:
    with noted() as found:
        for _ in range(2):
            rank_zero_warn("of Lightning")
        warnings.warn("of torch", UserWarning, stacklevel=1)
        warnings.warn("of nobody", DeprecationWarning, stacklevel=1)
        logging.getLogger("some.library").warning("of a library")
        logging.getLogger("some.library").info("nothing")
    assert [re.sub(".*: ", "", one) for one in found.all] == [
        "of a library",
        "of Lightning",
        "of Lightning",
        "of torch",
    ]


@pytest.mark.usefixtures("big_machine", "pictures")
@pytest.mark.parametrize(
    "scheme",
    [
        ["scheme=perturb", "recipe.precision=bf16-mixed"],
        ["scheme=perturb_image", "scheme/views=sample", "scheme.reestimate_bn=true"],
        ["scheme=landmarks", "recipe=paper", "recipe.epochs=1"],
    ],
    ids=" ".join,
)
def test_a_chain_its_resume_and_its_evaluation(
    commands: Commands, data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: list[str]
) -> None:
    given = [*small_overrides(data_directory, tmp_path), *scheme, "test_on=[synthetic+mouth@0.5]"]

    def stop(*_: object) -> None:
        raise StopError

    with noted() as found:
        with monkeypatch.context() as patch:
            patch.setattr(trainer.Stopwatch, "on_fit_end", stop)  # all checkpoints are there
            with pytest.raises(StopError):
                commands("train", *given)
        shown = [commands("train", *given), commands("train", *given)]
        (summary,) = tmp_path.glob("synthetic/*/*/*/summary.json")
        settings = [word for word in given if word.startswith(("paths", "trainer.acc", "trainer.enable"))]
        shown.append(commands("evaluate", f"run={summary.parent}", *settings))
    assert [one.status for one in shown] == [0, 0, 0]
    assert found.all == []
    assert [one.err for one in shown] == ["", "", ""]


@pytest.mark.usefixtures("big_machine")
def test_what_is_silenced_would_be_printed(
    data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, chain, task = untrained(data_directory, tmp_path, "scheme=baseline")
    monkeypatch.setattr(others_warnings, "NOT_FOR_PEOPLE", ())
    with noted() as found:
        for _ in range(2):
            trainer.fit(task, chain.run.data, settings=chain.experiment.trainer, directory=tmp_path, logger=None)
    told = " ".join(found.all)
    monkeypatch.undo()
    assert [words for words, _ in others_warnings.NOT_FOR_PEOPLE if words not in told] == []


class Scaled(MixedPrecision):
    """float16's scaled loss, in float32: a CPU would take a minute in float16."""

    def __init__(self) -> None:
        super().__init__("16-mixed", "cpu", torch.amp.GradScaler("cpu"))

    def autocast_context_manager(self) -> Any:
        return nullcontext()


class Overflows(pl.Callback):
    """The gradients of the first `count` steps overflow; `rates` are the learning rates before each step."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.rates: list[float] = []

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        if len(self.rates) <= self.count:
            for weights in pl_module.parameters():
                assert weights.grad is not None
                weights.grad.fill_(float("inf"))


@pytest.mark.parametrize("moves", ["each step", "each epoch"])
def test_the_schedule_waits_for_the_first_update(data_directory: Path, tmp_path: Path, moves: str) -> None:
    """In float16 the gradients of the first steps may overflow, and make no update."""
    rates = {}
    for count in (0, 2):
        overflows = Overflows(count)
        _, chain, task = untrained(data_directory, tmp_path, "scheme=baseline")
        # AdamW's fused form takes the overflow into its own step
        task.recipe, steps = replace(task.recipe, optimizer=partial(torch.optim.SGD, lr=0.004)), 3
        if moves == "each epoch":
            halved = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
            task.recipe, steps = replace(task.recipe, scheduler=halved), 2
        trainer = pl.Trainer(
            accelerator="cpu", plugins=[Scaled()], callbacks=[overflows], max_epochs=2, limit_train_batches=steps,
            num_sanity_val_steps=0, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, use_distributed_sampler=False,
        )  # fmt: skip
        with noted() as found:
            silence_others()
            trainer.fit(task, chain.run.data)
        assert found.all == []
        rates[count] = overflows.rates
    assert len(set(rates[0])) > 1  # it does move
    assert rates[2] == [rates[0][0]] * 2 + rates[0][:-2]
