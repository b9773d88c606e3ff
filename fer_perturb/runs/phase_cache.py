"""Finished phases are found again by content; interrupted ones resume.

A phase's results lie in <outputs>/.cache/<phase>/<key>/. The key covers all that decides them, so a sweep over
the number of clusters trains phase 1 once. While a phase runs its files lie in <key>.partial/, which the same
command finds and goes on with; the rename at the end makes it whole. Its record holds the size and the sha256 of each
of its files, and a checksum of itself, by which a phase that was damaged since is recognised; it is set aside and made
again.
"""

import ctypes
import gc
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rich
from filelock import BaseFileLock, Timeout

from fer_perturb.errors import say, warn
from fer_perturb.files import CHECKSUM, PARTIAL, canonical, link, sealed, set_aside, sha256, unbroken, write_json
from fer_perturb.locks import lock_at
from fer_perturb.processes import of_each, of_first

RECORD = "phase.json"
FILES = "files"  # of a record: what it knows of the phase's files
PATIENCE = 2.0  # seconds, after which whoever waits for another program says so
CHECKPOINTS = "checkpoints"  # the folder in which an unfinished phase keeps what it resumes from


@dataclass(frozen=True)
class PhaseResult:
    """A finished phase: where its files lie, and what it recorded (its original cost, even when cached)."""

    key: str
    directory: Path
    cached: bool
    record: dict[str, Any]

    @property
    def summary(self) -> dict[str, Any]:
        return {"key": self.key, "cached": self.cached, **self.record}


def content_key(content: dict[str, Any]) -> str:
    """16 hex digits of the sha256 of `content`."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:16]


def run_phase(
    cache: Path,
    name: str,
    title: str,
    content: dict[str, Any],
    work: Callable[[Path], dict[str, Any]],
    *,
    together: bool = False,
) -> PhaseResult:
    """The finished phase of that content: found, or made by `work`; `title` tells the person at the terminal.

    `work` gets the folder to leave its files in, where an interrupted run's files may lie, and returns the record.
    Of two programs that want the same phase one works and the other waits. Of the processes of one program the first
    finds or makes it, the others wait; work that is done `together` is done by all of them.
    """
    key, directory, partial, lock = _place(cache, name, content)
    try:
        cached, whole = of_first(lambda: _look(directory, partial, lock, title))
        if not whole:
            record = (of_each if together else of_first)(lambda: work(partial))
            release_memory()
            of_first(lambda: _seal(partial, content, record))
        if not cached:
            of_first(lambda: _move(partial, directory))
    finally:
        lock.release()
    return PhaseResult(key, directory, cached, of_first(lambda: read_record(directory)))


@contextmanager
def opened_phase(cache: Path, name: str, title: str, content: dict[str, Any]) -> Iterator[tuple[Path, bool]]:
    """The folder of a phase of that content, and whether its work is done; for one process, which may do a part of it.

    No other has the phase until the block ends. `run_phase` then goes on with what was left in the folder.
    """
    _, directory, partial, lock = _place(cache, name, content)
    try:
        cached, whole = _look(directory, partial, lock, title)
        yield directory if cached else partial, whole
    finally:
        lock.release()
        release_memory()


def _place(cache: Path, name: str, content: dict[str, Any]) -> tuple[str, Path, Path, BaseFileLock]:
    """The key of a phase; where it lies when it is finished, and before; and its lock."""
    key = content_key(content)
    directory = cache / name / key
    return key, directory, directory.with_name(key + PARTIAL), lock_at(directory.with_name(key + ".lock"))


def _look(directory: Path, partial: Path, lock: BaseFileLock, title: str) -> tuple[bool, bool]:
    """Waits for the phase's lock; whether the phase is there, and whether its work is done."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        say(f"{title}: waits for another program, which is making it{_holder(Path(lock.lock_file))}.")
        lock.acquire()
    if os.path.lexists(partial) and not partial.is_dir():
        warn(f"{partial} is no folder. It is kept as {set_aside(partial).name}.")
    if os.path.lexists(directory) and (damage := damage_of(directory)):
        aside = set_aside(directory)
        warn(f"{directory}: {damage}. The phase is made again; this is kept as {aside.name}.")
    cached = (directory / RECORD).is_file()
    rich.print(f"[bold]{title}[/bold]{': found again, finished before' if cached else ''}")
    if not cached:
        partial.mkdir(exist_ok=True)
    # it may have been stopped just before the rename
    return cached, cached or ((partial / RECORD).is_file() and not damage_of(partial))


def _holder(lock: Path) -> str:
    """Who holds a lock, on a file system without flock: only there the file says so, and may survive its holder."""
    with suppress(OSError, ValueError):
        pid, host, *_ = lock.read_text().splitlines()
        return f" (process {pid} on {host}; if that is no longer there, remove {lock})"
    return ""


def _seal(partial: Path, content: dict[str, Any], record: dict[str, Any]) -> None:
    """Writes what tells that the work is done."""
    write_json(partial / "content.json", content)
    write_json(partial / RECORD, sealed({**record, FILES: known_files(partial)}))


def _move(partial: Path, directory: Path) -> None:
    shutil.rmtree(partial / CHECKPOINTS, ignore_errors=True)  # no longer needed
    partial.rename(directory)


def read_record(directory: Path) -> dict[str, Any]:
    """What a finished phase recorded, without what it knows of its files."""
    record: dict[str, Any] = json.loads((directory / RECORD).read_text())
    return {key: value for key, value in record.items() if key not in (FILES, CHECKSUM)}


def known_files(directory: Path) -> dict[str, dict[str, Any]]:
    """Path -> size in bytes and sha256, of all files of a phase that has finished its work."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory)
        if path.is_file() and name.parts[0] not in (CHECKPOINTS, RECORD) and not name.name.endswith(PARTIAL):
            found[name.as_posix()] = {"bytes": path.stat().st_size, "sha256": sha256(path)}
    return found


def damage_of(directory: Path) -> str:
    """What is wrong with a finished phase, or with a run's copy of it; an empty string if nothing is.

    Every byte is read, which takes some 50 ms for 80 MB, once in a process (`files.sha256`). Phases that older code
    finished do not know their files.
    """
    try:
        record = json.loads((directory / RECORD).read_text())
        if not unbroken(record):
            return f"{RECORD} is damaged (its checksum differs)"
        files = record.get(FILES, {})
        for name, known in files.items():
            path = directory / name
            if not path.is_file():
                return f"{name} is missing"
            if path.stat().st_size != known["bytes"]:
                return f"{name} has {path.stat().st_size:,} bytes and had {known['bytes']:,}"
            if sha256(path) != known["sha256"]:
                return f"{name} is damaged (its sha256 is not the recorded one)"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{RECORD} cannot be read ({error})"
    return ""


def release_memory() -> None:
    """Gives a finished phase's memory back, so that the next phase does not begin beside it."""
    gc.collect()  # trainer and task refer to each other
    with suppress(OSError, AttributeError):  # glibc alone has it, and keeps what is freed between blocks in use
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def link_into(result: PhaseResult, run: Path) -> None:
    """Puts a phase's files into a run's directory, which so stands alone: hard links, or copies."""
    for file in result.directory.rglob("*"):
        if file.is_file() and not file.name.endswith(PARTIAL):
            link(file, run / file.relative_to(result.directory))
