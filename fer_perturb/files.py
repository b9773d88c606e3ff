"""Files are written whole or not at all: temporary name, fsync, rename."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb.errors import UserError

PARTIAL = ".partial"  # the ending of what is not yet whole
CHECKSUM = "checksum"  # the key of a JSON file that tells whether the rest of it is whole
TICK = 3_000_000_000  # nanoseconds; file systems keep times to 2 s or finer
FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
BARRED = {errno.EROFS, errno.EACCES, errno.EPERM}
IN_THE_WAY = {errno.ENOTDIR, errno.EEXIST}


class UnwritableError(UserError):
    """Something cannot be written; `reason` is what the system says."""

    def __init__(self, path: Path, needed: int | None, reason: OSError) -> None:
        size = "" if needed is None else f" ({needed:,} bytes)"
        free, way_on = "", "Move what is in its way" if reason.errno in IN_THE_WAY else "Allow writing there"
        if reason.errno in FULL:
            free, way_on = f"; {shutil.disk_usage(_existing(path)).free:,} bytes are free there", "Make room"
        super().__init__(
            f"{path} cannot be written{size}: {reason.strerror}{free}. What was there is whole. {way_on}, or name "
            "another place (paths.data, paths.outputs), and run the same command again."
        )
        self.reason = reason


@contextmanager
def told_when_unwritable(path: Path, needed: int | None = None) -> Iterator[None]:
    """What cannot be written at `path`, for lack of space or of the right to, ends in a UserError that names `path`.

    needed: its bytes, where they are known. What lies there stays: what is written takes its place only when whole.
    Errors of other files pass.
    """
    try:
        yield
    except UnwritableError as inside:  # of a part of what is written
        raise UnwritableError(path, needed, inside.reason) from inside
    except OSError as error:
        if error.errno not in FULL | BARRED | IN_THE_WAY or _elsewhere(error, path):
            raise
        raise UnwritableError(path, needed, error) from error


def _elsewhere(error: OSError, path: Path) -> bool:
    """Whether it is of a file other than `path`, a temporary one beside it and the folders above."""
    if not isinstance(error.filename, str | os.PathLike):
        return False  # of a file that was open already
    named = Path(error.filename)
    return path.parent not in named.parents and named not in (path, *path.parents)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def set_aside(path: Path, why: str = "damaged") -> Path:
    """Renames a file or folder to <name>.<why>, or <name>.<why>2 and so on; where it lies now."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.{why}{number if number > 1 else ''}")):
        number += 1
    path.rename(aside)
    return aside


@contextmanager
def atomic_file(path: Path, needed: int | None = None) -> Iterator[Path]:
    """Gives a temporary path beside `path`, which takes its place when the block ends without an error.

    Raises UserError where it cannot be written; needed: its bytes, where they are known.
    """
    with told_when_unwritable(path, needed):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            _sync(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
            _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path, needed: int | None = None) -> Iterator[Path]:
    """Gives an empty temporary folder beside `path`, which takes its place when the block ends without an error.

    What stands at `path` is replaced only then; until then it is untouched. Raises UserError where it cannot be
    written; needed: its bytes, where they are known.
    """
    with told_when_unwritable(path, needed):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            for file in temporary.rglob("*"):
                _sync(file)
            _sync(temporary)
            if os.path.lexists(path):
                # rename() replaces neither a folder that holds files nor a link: what is there steps aside first
                aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent))
                path.rename(aside / "old")
                temporary.rename(path)
                shutil.rmtree(aside, ignore_errors=True)  # what may not be removed is in nobody's way
            else:
                temporary.rename(path)
            _sync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Writes `text` (UTF-8) whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Writes `content` whole or not at all."""
    with atomic_file(path, memoryview(content).nbytes) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def canonical(content: dict[str, Any]) -> str:
    """JSON that is the same for the same content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """`content` for a JSON file, with a checksum by which `unbroken` knows it again."""
    return {**content, CHECKSUM: _checksum(content)}


def unbroken(content: dict[str, Any]) -> bool:
    """Whether what was read is what was `sealed`; so is what older code wrote, without a checksum."""
    return CHECKSUM not in content or bool(content[CHECKSUM] == _checksum(content))


def _checksum(content: dict[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:16]


def write_npy(path: Path, array: NDArray[Any]) -> None:
    """Writes `array` in numpy's npy format, never pickled, whole or not at all."""
    # what is open for reading, too, numpy writes through; else it goes round it, and loses why it could not
    with atomic_file(path, array.nbytes) as temporary, temporary.open("r+b") as file:
        np.save(file, array, allow_pickle=False)


def link(source: Path, target: Path) -> None:
    """Puts `source` also at `target`: as a hard link, or as a copy where the file system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(target, source.stat().st_size) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hex.

    This process reads a file once, and again when its size, time or inode has changed: the jobs of a sweep open the
    same data and phases. A file that was written just now is not remembered: what is written next may bear its time.
    """
    state = path.stat()
    settled = time.time_ns() - state.st_mtime_ns > TICK
    read = _sha256 if settled else _sha256.__wrapped__
    return read(path, state.st_size, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=10_000)
def _sha256(path: Path, size: int, mtime_ns: int, inode: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
