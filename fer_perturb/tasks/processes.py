"""Several processes that train together (DDP): what each does, and what only the first one does.

All of them run the whole program. They train together; what else there is to do, from clustering to writing files, the
first does alone, and the others find it done. The process group exists only from the first training on, so they meet
at the finished phase's file.
"""

import os
import time
from pathlib import Path

import torch
from torch import distributed, nn

from fer_perturb.errors import UserError

PAUSE = 0.2  # seconds between two looks


def wait_for(file: Path) -> None:
    """Returns once the first process has written `file`.

    Raises UserError when the process that started this one has died, and will not write it any more.
    """
    parent = os.getppid()
    while not file.is_file():
        if os.getppid() != parent:
            raise UserError(f"The process that was to write {file} has ended without it.")
        time.sleep(PAUSE)


@torch.no_grad()
def share_buffers(module: nn.Module) -> None:
    """Gives all processes the first one's buffers: batch norm's statistics differ, as each sees other images."""
    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        for buffer in module.buffers():
            distributed.broadcast(buffer, 0)
