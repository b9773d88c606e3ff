"""What an interrupted training goes on from, when some of it is damaged."""

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fer_perturb.errors import warn
from fer_perturb.files import set_aside

LAST, BEST = "last.ckpt", "best.ckpt"


def resume_from(folder: Path, task: nn.Module, *, first: bool = True) -> Path | None:
    """The checkpoint in `folder` that training of `task` goes on from: the last epoch's; the best one's, if the last is
    damaged; None, to start again, if the best is, as it may be the one to keep.

    A damaged checkpoint is set aside under another name, with a line that says so, by the `first` process.
    """
    found = {name: damage_of(folder / name, task) for name in (BEST, LAST) if (folder / name).is_file()}
    going_on = [name for name, damage in found.items() if not damage]  # the last epoch's comes last
    resumed = folder / going_on[-1] if BEST in going_on else None
    for name, damage in found.items():
        if first and (damage or resumed is None):
            aside = set_aside(folder / name)
            if damage:
                way_on = f"resumes from {resumed.name}" if resumed else "starts again"
                warn(f"{folder / name} is damaged ({damage}): the phase {way_on}. It is kept as {aside.name}.")
    return resumed


def damage_of(path: Path, task: nn.Module) -> str:
    """What is wrong with a checkpoint of `task`; an empty string if nothing is. Nothing in it is executed."""
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
