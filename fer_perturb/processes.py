"""Several processes that train together (DDP): what each does, and what only the first one does.

All of them run the whole program. They train together; what else there is to do, from clustering to writing files, the
first does alone, and the others find it done. The process group exists only from the first training on, so they meet
at files: the first says in `<phase>.partial/at_work.json` that it has begun, and in `<phase>.failed` why it gave up.
Jobs of a sweep may come to the same phase again after it failed, each process in its own time, so a note says which
attempt it is of: all processes come to an unfinished phase equally often.
"""

import json
import os
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_only
from torch import distributed, nn

from fer_perturb.errors import UserError
from fer_perturb.files import write_json

PAUSE = 0.2  # seconds between two looks
OURS = "FER_PERTURB_PROGRAM"  # the environment variable that Lightning hands on to the processes it starts
_attempts: Counter[tuple[Path, bool]] = Counter()
RESTARTS = ("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT")
STARTED_TOGETHER = ("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT", "SLURM_JOB_ID", "SLURM_STEP_ID", *RESTARTS)


def program() -> str:
    """The same for all processes of one program, and another for any other program."""
    together = [os.environ[name] for name in STARTED_TOGETHER if name in os.environ]
    if together and os.environ.get("LOCAL_WORLD_SIZE", "") == os.environ.get("WORLD_SIZE"):
        together.append(str(os.getppid()))  # torchrun's, which uses the same names at each start
    if OURS not in os.environ:
        os.environ[OURS] = "/".join(together) if together else uuid.uuid4().hex
    return os.environ[OURS]


def next_attempt(phase: Path, first: bool) -> int:
    """How often this process, the `first` or not, has come to `phase`, this time included."""
    _attempts[phase, first] += 1
    return _attempts[phase, first]


def announce(file: Path, attempt: int, **what: Any) -> None:
    """Called by the first process: writes a note for the other processes of this program."""
    write_json(file, {"program": program(), "attempt": attempt, **what})


def noted(file: Path) -> dict[str, Any] | None:
    """What the first process of this very program has announced in `file`."""
    try:
        note: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return note if note.get("program") == program() else None


def wait_for(done: Path, failed: Path, attempt: int, begun: Path | None = None) -> bool:
    """Waits for the first process: True once `done` is there, False once it has `begun` this `attempt`.

    Raises UserError where that `failed`, with its reason, or where the process that started this one has died.
    """
    parent = os.getppid()
    while True:
        failure = noted(failed)
        if failure and failure["attempt"] >= attempt:
            raise UserError(failure["reason"])
        if done.is_file():  # perhaps by a later attempt, so that it comes second
            return True
        if begun and (beginning := noted(begun)) and beginning["attempt"] == attempt:
            return False
        if os.getppid() != parent:
            raise UserError(f"The process that was to write {done} has ended without it.")
        time.sleep(PAUSE)


@torch.no_grad()
def share_buffers(module: nn.Module) -> None:
    """Gives all processes the first one's buffers: batch norm's statistics differ, as each sees other images."""
    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        for buffer in module.buffers():
            distributed.broadcast(buffer, 0)


def is_first() -> bool:
    """Whether this is the first process: Lightning knows from the environment, and from the process group."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)
