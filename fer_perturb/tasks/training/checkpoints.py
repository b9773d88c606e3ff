"""What an interrupted training goes on from, when some of it is damaged."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from torch import nn

from fer_perturb.errors import warn
from fer_perturb.files import set_aside, write_bytes

LAST, BEST = "last.ckpt", "best.ckpt"


class WholeCheckpoints(TorchCheckpointIO):
    """Lightning's, written like all other files: whole or not at all, with a sentence where that cannot be."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        packed = io.BytesIO()
        torch.save(checkpoint, packed)
        write_bytes(Path(path), packed.getbuffer())


def resume_from(folder: Path, task: nn.Module) -> Path | None:
    """The checkpoint in `folder` that training of `task` goes on from: the last epoch's; the best one's, if the last is
    missing or damaged; None, to start again, if the best is, as it may be the one to keep.

    Sets aside what is damaged, and a last one that is whole and of no use, under other names, with a line that says so.
    """
    if not os.path.lexists(folder / BEST) and not os.path.lexists(folder / LAST):
        return None
    best, last = (damage_of(folder / name, task) for name in (BEST, LAST))
    resumed = None if best else folder / (BEST if last else LAST)
    way_on = f"resumes from {resumed.name}" if resumed else "starts again"
    for name, damage in ((BEST, best), (LAST, last)):
        if damage:
            _tell(folder / name, damage, way_on)
    if best and not last:
        kept = set_aside(folder / LAST, "unused").name
        warn(f"{folder / LAST} is whole, and cannot tell the best epoch's weights. It is kept as {kept}.")
    return resumed


def _tell(path: Path, damage: str, way_on: str) -> None:
    if os.path.lexists(path):
        warn(f"{path} is damaged ({damage}): the phase {way_on}. It is kept as {set_aside(path).name}.")
    else:
        warn(f"{path} is missing: the phase {way_on}.")


def damage_of(path: Path, task: nn.Module) -> str:
    """What is wrong with a checkpoint of `task`, if only that it is missing; an empty string if nothing is.

    Nothing in it is executed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()  # torch itself does not compare the checksums
        if broken:
            return f"the checksum of {broken} differs"
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
        expected = {name: tensor.shape for name, tensor in task.state_dict().items()}
        if {name: tensor.shape for name, tensor in loaded["state_dict"].items()} != expected:
            return "it is another network's"
        if not isinstance(loaded["epoch"], int) or "callbacks" not in loaded or "optimizer_states" not in loaded:
            return "it holds no state of a training"
    except zipfile.BadZipFile:
        return "it is no whole checkpoint"
    except Exception as error:  # whatever torch meets in a file that others have changed
        return str(error).splitlines()[0][:200] or type(error).__name__
    return ""
