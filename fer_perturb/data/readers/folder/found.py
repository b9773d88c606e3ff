"""The pictures that a source holds, before they are read, and the names that they may have."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from fer_perturb.data.file_names import LITTER, is_litter
from fer_perturb.errors import UserError

LAYOUT = "train/<class>/<picture>, val/<class>/<picture> and test/<class>/<picture>"
COLUMNS = ("path", "label", "split", "group")  # of a csv that lists pictures; the last two may be missing


@dataclass(frozen=True)
class Picture:
    path: Path
    label: str  # the class's name, accents composed
    split: str | None = None
    group: str | None = None


@dataclass
class Found:
    """The pictures of a source, not decoded yet."""

    pictures: list[Picture] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def folders_in(folder: Path) -> list[Path]:
    return [path for path in entries(folder, Found()) if path.is_dir()]


def entries(folder: Path, found: Found) -> list[Path]:
    """What lies in a folder, links followed, but for what is hidden or left by a system, which is counted."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}.") from error
    kept = []
    for path in paths:
        if is_litter(path.relative_to(folder)):
            found.leave_out(LITTER)
        elif path.name.startswith("."):
            found.leave_out("hidden file")
        else:
            kept.append(path)
    return kept


def writable_name(path: Path) -> Path:
    """UserError where the name of a picture, or of the folder that it lies in, cannot stand in a list of names."""
    name = f"{path.parent.name}/{path.name}"
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{str(path)!r} has a name that is not UTF-8. Rename it.") from error
    if "\0" in str(path) or re.search(r"[\r\n]", name):
        raise UserError(f"{str(path)!r} has a line break or a zero byte in its name. Rename it.")
    return path
