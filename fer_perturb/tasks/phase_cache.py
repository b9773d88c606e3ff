"""Finished phases are found again by content; interrupted ones resume.

A phase's results lie in <outputs>/.cache/<phase>/<key>/. The key covers all that decides them, so a sweep over
the number of clusters trains phase 1 once. While a phase runs its files lie in <key>.partial/, which the same
command finds and goes on with; the rename at the end makes it whole.
"""

import ctypes
import gc
import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rich
from filelock import FileLock

from fer_perturb.files import PARTIAL, link, write_json
from fer_perturb.tasks.processes import announce, next_attempt, wait_for

RECORD = "phase.json"
AT_WORK = "at_work.json"
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
    """16 hex digits of the sha256 of `content` as canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_phase(
    cache: Path,
    name: str,
    title: str,
    content: dict[str, Any],
    work: Callable[[Path], dict[str, Any]],
    *,
    first: bool = True,
    together: bool = False,
) -> PhaseResult:
    """The finished phase of that content: found, or made by `work`; `title` tells the person at the terminal.

    `work` gets the folder to leave its files in, where an interrupted run's files may lie, and returns the record.
    Of two programs that want the same phase one works and the other waits. Of the processes of one program the `first`
    finds or makes it; the others do their part of work that is done `together`, and wait.
    """
    key = content_key(content)
    directory = cache / name / key
    partial, failed, done = directory.with_name(key + PARTIAL), directory.with_name(key + ".failed"), directory / RECORD
    attempt = next_attempt(directory, first)
    if not first:
        if not wait_for(done, failed, attempt, begun=partial / AT_WORK if together else None):
            work(partial)
            wait_for(done, failed, attempt)
        return PhaseResult(key, directory, True, json.loads(done.read_text()))
    directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(directory.with_name(key + ".lock")):
        if attempt == 1:  # notes of an earlier start
            failed.unlink(missing_ok=True)
            (partial / AT_WORK).unlink(missing_ok=True)
        cached = done.is_file()
        rich.print(f"[bold]{title}[/bold]{': found again, finished before' if cached else ''}")
        if not cached:
            partial.mkdir(exist_ok=True)
            if not (partial / RECORD).is_file():  # else it was stopped just before the rename
                announce(partial / AT_WORK, attempt)
                try:
                    record = work(partial)
                except Exception as error:
                    announce(failed, attempt, reason=str(error))
                    raise
                release_memory()
                write_json(partial / "content.json", content)
                write_json(partial / RECORD, record)
            shutil.rmtree(partial / CHECKPOINTS, ignore_errors=True)  # no longer needed
            (partial / AT_WORK).unlink(missing_ok=True)
            partial.rename(directory)
    return PhaseResult(key, directory, cached, json.loads((directory / RECORD).read_text()))


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
