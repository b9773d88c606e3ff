"""Which runs lie under a folder, and what else does."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from fer_perturb.errors import UserError
from fer_perturb.runs.summary_file import SUMMARY

BESIDE = {"contact_sheets", "debug", "search", "tables"}  # what else lies in `outputs`; debug's runs are for no table
RUN = re.compile(r"seed\d+-[0-9a-f]{8}")


@dataclass
class Found:
    """Folders of runs that have a summary, of runs that have none yet, and what is foreign, in a sentence each."""

    finished: list[Path] = field(default_factory=list)
    unfinished: list[Path] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def find_runs(root: Path) -> Found:
    """The runs in and under `root`. What is hidden is not looked at.

    Raises UserError where `root` is no folder.
    """
    if not root.is_dir():
        raise UserError(f"{root} is no folder: expected one in which runs lie, such as outputs.")
    found = Found()
    _walk(root, found, BESIDE)
    return found


def _walk(folder: Path, found: Found, beside: set[str]) -> bool:
    """Whether `folder` is a run, or holds any."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        found.foreign.append(f"{folder} cannot be read: {error.strerror}.")
        return True  # it is told already
    if any(entry.name == SUMMARY for entry in entries):
        found.finished.append(folder)
        return True
    if RUN.fullmatch(folder.name):
        found.unfinished.append(folder)
        return True
    names = [entry.name for entry in entries if entry.is_dir() and entry.name[0] != "." and entry.name not in beside]
    inner = [folder / name for name in names if not _leads_back(folder / name)]
    empty = [path for path in inner if not _walk(path, found, set())]
    if len(empty) == len(inner):
        return False
    found.foreign += [f"{path} holds no run." for path in empty]
    return True


def _leads_back(path: Path) -> bool:
    """Whether it is a link to a folder that it lies in."""
    return path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve())
