"""Entry points in processes of their own, forked from one that has imported what they need: 7 s are saved for each.

For what a process alone can show: being killed, its exit status, limits that hold for all of it.
"""

import importlib
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
# pytest: for functions that stand in a test
CONTEXT.set_forkserver_preload(["pytest", "fer_perturb.train", "fer_perturb.evaluate", "fer_perturb.tasks.chain"])
PATIENCE = 900.0  # seconds; a busy machine takes long, and what hangs is found all the same
HELD = "held"


@dataclass(frozen=True)
class Forked:
    """A command that was started; `folder` holds what it writes."""

    process: ForkServerProcess
    folder: Path

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()

    @property
    def status(self) -> int:
        """Its exit status once it has ended; -9 for one that was killed (SIGKILL)."""
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, f"still at work after {PATIENCE:.0f} s: {self.err}"
        return self.process.exitcode

    def end(self, number: int) -> int:
        """Sends it a signal once it is held (see Hold), and waits; its exit status."""
        deadline = time.monotonic() + PATIENCE
        while not (self.folder / HELD).exists():
            assert self.process.is_alive(), f"ended before it was to be held: {self.out}{self.err}"
            assert time.monotonic() < deadline, f"not held after {PATIENCE:.0f} s: {self.out}{self.err}"
            time.sleep(0.01)
        assert self.process.pid is not None
        os.kill(self.process.pid, number)
        return self.status


@dataclass(frozen=True)
class Hold:
    """Before a command: it stops for ever where it calls a function the nth time, so that a signal meets it there."""

    where: str  # package.module:name
    call: int = 1

    def __call__(self) -> None:
        owner, _, name = self.where.replace(":", ".").rpartition(".")
        place = resolve_name(owner)
        function, calls = getattr(place, name), 0

        @wraps(function)
        def held(*given: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == self.call:
                mark.touch()
                while True:
                    time.sleep(0.01)
            return function(*given, **named)

        mark = Path(HELD).resolve()
        setattr(place, name, held)


def forked(
    module: str,
    *words: str,
    folder: Path,
    before: Callable[[], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Forked:
    """Starts python -m fer_perturb.<module> <words>, which works in `folder`, after `before` (importable).

    A module with a dot in its name is not of fer_perturb.

    Its environment is this process's, with `environment` added.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HELD).unlink(missing_ok=True)
    process = CONTEXT.Process(target=_run, args=(module, words, folder, before, {**os.environ, **(environment or {})}))
    process.start()
    return Forked(process, folder)


def _run(
    module: str,
    words: tuple[str, ...],
    folder: Path,
    before: Callable[[], None] | None,
    environment: dict[str, str],
) -> None:
    os.environ.clear()  # what the first of these processes had
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, str(folder))  # as python -m has it
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    name = module if "." in module else f"fer_perturb.{module}"
    main = importlib.import_module(name).main
    sys.argv = [name, *words]
    os.fsync = lambda handle: None  # as in conftest.py
    if before is not None:
        before()
    sys.exit(main())
