"""Several processes that train together (DDP): what each does, and what only the first one does.

All of them run the whole program, and `join` brings them together before a job's first step. They train together; what
else there is to do, from clustering to writing files, the first does alone, and the others wait for what comes of it
(`of_first`). What fails in one of them fails in all (`of_each`), so that the jobs of a sweep stay in step. With one
process, which has no group, each of these is a call of `work` and no more.

They meet in one way alone: each says what it has, or why it failed, and hears the others. So one that fails anywhere in
a job is heard wherever the others meet next.
"""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_only
from torch import distributed, nn

from fer_perturb.errors import OtherProcessError, UserError, first_line

LONG = timedelta(days=30)  # the first may cluster or test for hours
PATIENCE = timedelta(minutes=1)  # of one that has failed: the others may wait for it in the midst of a step
HEARD = "All processes have heard of this."
APART = (
    "Another process of this program has ended, or is out of step, so this one ends as well. The same command goes on."
)

Result = TypeVar("Result")

_messages: Any = None  # a process group beside Lightning's, whose messages may take half an hour at most


def join(trainer: pl.Trainer, job: str) -> None:
    """Waits for all processes that are to train with `trainer`; starts them where nobody else has.

    job: what they are about to do. Raises UserError for another number of processes than an earlier job's.
    """
    global _messages
    if trainer.world_size > 1 and not distributed.is_initialized():
        launcher = trainer.strategy.launcher
        assert launcher is not None
        launcher.launch(trainer.strategy.setup_environment, trainer=trainer)
        _messages = distributed.new_group(backend="gloo", timeout=LONG)
    if not several():
        return
    if trainer.world_size != distributed.get_world_size():
        raise UserError(
            f"trainer.devices: {trainer.world_size} in this job, and {distributed.get_world_size()} in one before it: "
            "expected the same in all jobs of a sweep. Run this one by itself."
        )
    if (theirs := of_first(lambda: job)) != job:  # an earlier job failed in one of them before they met
        _end(f"This process has come to {job}, and the first one to {theirs}.")


def several() -> bool:
    """Whether this process has joined others."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def is_first() -> bool:
    """Whether this is the first process: Lightning knows from the environment, and from the process group."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


def of_first(work: Callable[[], Result]) -> Result:
    """What `work` gives in the first process, in all of them; only values that can be pickled.

    Raises its error in the first, and OtherProcessError in the others.
    """
    if not several():
        return work()
    result: Result = _met(work if is_first() else None)[0]
    return result


def of_each(work: Callable[[], Result]) -> Result:
    """What `work` gives in this process, once all have done it.

    Raises its error where it failed, and OtherProcessError in the others. Where those do not come within PATIENCE, as
    in the midst of a step, the program ends.
    """
    if not several():
        return work()
    results: list[Result] = []
    _met(lambda: results.append(work()))
    return results[0]


def _met(work: Callable[[], Any] | None) -> list[Any]:
    """What `work` has given in each process."""
    result, failure = None, None
    try:
        result = work() if work else None
    except Exception as error:
        if isinstance(error, OtherProcessError) or HEARD in getattr(error, "__notes__", ()):
            raise  # all have heard of it
        failure = error
    said = _say((result, None if failure is None else str(failure) or type(failure).__name__), failure)
    if failure is not None:
        failure.add_note(HEARD)
        raise failure
    for _, reason in said:
        if reason is not None:
            raise OtherProcessError(reason)
    return [one for one, _ in said]


def _say(message: tuple[Any, str | None], failure: Exception | None) -> list[tuple[Any, str | None]]:
    """The messages of all processes, in their order."""
    said: list[Any] = [None] * distributed.get_world_size()
    try:
        arrived = distributed.barrier(_messages, async_op=True)
        assert arrived is not None
        arrived.wait(LONG if failure is None else PATIENCE)
        distributed.all_gather_object(said, message, _messages)
    except RuntimeError:  # torch's: a connection was closed, or nobody came in time
        if failure is None or "gloo/transport" in str(failure):  # where training met the closed connection
            _end("")
        _end(first_line(failure))
    return said


def _end(reason: str) -> NoReturn:
    """Ends this process, and with it the others, which notice that its connections close."""
    sys.stdout.flush()
    print(f"\nError: {reason} {APART}" if reason else f"\nError: {APART}", file=sys.stderr, flush=True)
    os._exit(1)  # not by an exception: torch would wait for those that do not come


@torch.no_grad()
def share_buffers(module: nn.Module) -> None:
    """Gives all processes the first one's buffers: batch norm's statistics differ, as each sees other images."""
    if several():
        for buffer in module.buffers():
            distributed.broadcast(buffer, 0)
