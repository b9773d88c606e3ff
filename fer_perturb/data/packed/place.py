"""The place where packed data lie: one process at a time packs into it, and nothing of anyone else's is in it."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_perturb import files
from fer_perturb.data.file_names import is_litter
from fer_perturb.data.packed.format import OWN
from fer_perturb.errors import UserError
from fer_perturb.locks import lock_at


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Holds `root` for this process, and puts right what a killed one left: data that it had moved aside, to make
    way for new ones that never came, stand at `root` again, and all else that it left beside it is cleared away."""
    with files.told_when_unwritable(root):
        root.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_at(root.parent / f".{root.name}.lock").acquire()
    with lock:
        for old in _moved_aside(root):
            old.rename(root)
        for path in _leftovers(root):
            shutil.rmtree(path, ignore_errors=True)
        require_own(root)
        yield


def begin(root: Path, source: Path | None = None) -> None:
    """Data that a killed process had moved aside stand at `root` again, even if nothing new can be read.

    Raises UserError where packing into `root` would remove what is not packed data, or `source` and `root` overlap.
    """
    if _moved_aside(root):  # else no folder and no lock are made for a source that may be bad
        with alone(root):
            pass
    if source is not None:
        there, where = (Path(os.path.realpath(path)) for path in (source, root))  # resolve() fails on links in a circle
        if there.is_relative_to(where) or where.is_relative_to(there):
            raise UserError(
                f"source={source} and {root}, where its packed data are to lie, overlap: packing would replace the one "
                "or read the other. Move the source elsewhere, or give another dataset.name or paths.data."
            )
    require_own(root)


def _moved_aside(root: Path) -> list[Path]:
    """Where the data of `root` lie if files.atomic_directory was killed between its two renames: one path or none."""
    if os.path.lexists(root):
        return []
    return [path / "old" for path in _leftovers(root) if (path / "old").is_dir()][:1]


def _leftovers(root: Path) -> list[Path]:
    """The temporary folders of `root`, those of a process at work among them unless `root` is held."""
    if not root.parent.is_dir():
        return []
    leftover = re.compile(rf"\.{re.escape(root.name)}\.[^.]+{re.escape(files.PARTIAL)}")
    return [path for path in root.parent.iterdir() if leftover.fullmatch(path.name)]


def require_own(root: Path) -> None:
    """UserError where `root` holds what no packed data do, people's own pictures say, which packing would remove.

    Packed data are known by the names of their files: they may be damaged, or lack their manifest.
    """
    there = root.rglob("*") if root.is_dir() else [root] if root.is_file() and root.stat().st_size else []
    for path in there:
        name = path.relative_to(root)
        ours = OWN.fullmatch(name.as_posix()) or is_litter(name) or name.name.endswith(files.PARTIAL)
        if not ours and (path.is_symlink() or not path.is_dir()):
            raise UserError(
                f"{path} is no packed data, and packing into {root} would remove it. Move {root} elsewhere (and give "
                "its new place, if it is the source=), or give another dataset.name."
            )
