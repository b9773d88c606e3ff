"""Locks that programs share, on whatever file system the file lies."""

import sys
from errno import ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP
from pathlib import Path
from tempfile import TemporaryFile

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

WITHOUT_FLOCK = {ENOSYS, ENOLCK, ENOTSUP, EOPNOTSUPP}
"""What file systems say that have no flock: Lustre, NFS without its lock service, FUSE."""


def lock_at(path: Path) -> BaseFileLock:
    """The lock of that file, which the system releases when its holder ends, however that is.

    On a file system without flock it is the file itself, which tells its holder's pid and host. There the lock of a
    process that has gone is broken on the same host alone; elsewhere nobody can know. (filelock knows ENOSYS only.)
    """
    return FileLock(path) if _has_flock(path.parent) else SoftFileLock(path)


def is_held(path: Path) -> bool:
    """Whether somebody has the lock of that file."""
    lock = lock_at(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def _has_flock(folder: Path) -> bool:
    if sys.platform == "win32":
        return True  # it has locks of its own
    import fcntl

    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in WITHOUT_FLOCK  # of another error the lock itself tells
    return True
