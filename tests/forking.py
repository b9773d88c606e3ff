"""Entry points in processes of their own, forked from one that has imported what they need: 7 s are saved for each.

For what a process alone can show: being killed, its exit status, limits that hold for all of it.
"""

import importlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["fer_perturb.train", "fer_perturb.evaluate", "fer_perturb.tasks.chain"])
PATIENCE = 120.0  # seconds


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


def forked(
    module: str,
    *words: str,
    folder: Path,
    before: Callable[[], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Forked:
    """Starts python -m fer_perturb.<module> <words>, which works in `folder`, after `before` (importable).

    Its environment is that of the first such process, with `environment` added.
    """
    folder.mkdir(parents=True, exist_ok=True)
    process = CONTEXT.Process(target=_run, args=(module, words, folder, before, dict(environment or {})))
    process.start()
    return Forked(process, folder)


def _run(
    module: str,
    words: tuple[str, ...],
    folder: Path,
    before: Callable[[], None] | None,
    environment: dict[str, str],
) -> None:
    os.environ.update(environment)
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    main = importlib.import_module(f"fer_perturb.{module}").main
    sys.argv = [f"fer_perturb.{module}", *words]
    if before is not None:
        before()
    main()
