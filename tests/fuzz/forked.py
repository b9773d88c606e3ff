"""Commands in forks of this process, which has imported everything and started no thread: a command takes 0.2 s."""

import copy
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import RunMode

from fer_perturb.command_line.entry_point import conf_directory

NOBODY = 65534
LIMIT = 600.0  # seconds that a command may take; it takes a few at most, unless the machine is busy
POLL = 0.002


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status (None: it was killed, after the time limit or as it was asked)."""

    status: int | None
    out: str
    err: str
    seconds: float


class Forks:
    """Runs commands; `folder` takes what they print. What one imports, or composes, the next ones find."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.learned = folder / "learned"  # from a fork to this process
        self.configs: dict[tuple[str, str], Any] = {}
        self.asked: list[Any] = []  # what Hydra was asked for, config by config
        self.compose = ConfigLoaderImpl.load_configuration
        folder.mkdir(parents=True, exist_ok=True)
        Plugins.instance()  # Hydra looks for them once in a process, and loads each anew

    def command(
        self,
        module: str,
        words: tuple[str, ...],
        *,
        nobody: bool = False,
        kill_after: float | None = None,
        alone: bool = False,
    ) -> Ended:
        """python -m fer_perturb.<module> <words>; as `nobody`, or killed (SIGKILL) after some seconds, if asked.

        alone: what it has started is not killed with it. A fork that imports or composes something new lets this
        process know.
        """

        def work() -> None:
            main = importlib.import_module(f"fer_perturb.{module}").main
            sys.argv = [f"fer_perturb.{module}", *words]
            if module != "train" and hasattr(os, "sched_setaffinity"):  # on one core no other processes are started
                cores = sorted(os.sched_getaffinity(0))
                os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
            ConfigLoaderImpl.load_configuration = lambda loader, *given, **named: self._remembered(
                loader, *given, **named
            )
            GlobalHydra.instance().clear()
            before = len(sys.modules), len(self.configs)
            try:
                main()
            finally:
                if before != (len(sys.modules), len(self.configs)) and not nobody:
                    self._teach()

        self.learned.unlink(missing_ok=True)
        ended = self.call(work, nobody=nobody, kill_after=kill_after, alone=alone)
        if ended.status is not None and self.learned.exists():
            self._learn()
        return ended

    def call(
        self, work: Callable[[], None], *, nobody: bool = False, kill_after: float | None = None, alone: bool = False
    ) -> Ended:
        """The same for any function."""
        started = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._child(work, nobody)
        with suppress(OSError):  # it does so itself, later
            os.setpgid(pid, pid)
        deadline = started + (LIMIT if kill_after is None else kill_after)
        status: int | None = None
        while True:
            done, raw = os.waitpid(pid, os.WNOHANG)
            if done:
                status = os.waitstatus_to_exitcode(raw)
                break
            if time.monotonic() > deadline:
                (os.kill if alone else os.killpg)(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                break
            time.sleep(POLL)
        out, err = ((self.folder / name).read_text(errors="replace") for name in ("out", "err"))
        return Ended(status, out, err, time.monotonic() - started)

    def _child(self, work: Callable[[], None], nobody: bool) -> NoReturn:
        status = 1
        try:
            os.setpgid(0, 0)
            for number, name in ((1, "out"), (2, "err")):
                file = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(file, number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            if nobody and os.getuid() == 0:  # whom every permission is given
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work()
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _remembered(self, loader: ConfigLoaderImpl, *given: Any, **named: Any) -> Any:
        """A composed config: composing takes four fifths of a short command's time."""
        key = (repr(given), repr(sorted(named.items())))
        if key not in self.configs:
            self.configs[key] = self.compose(loader, *given, **named)
            modes = {name: value.name if isinstance(value, RunMode) else value for name, value in named.items()}
            self.asked.append([given, modes])
        return copy.deepcopy(self.configs[key])

    def _teach(self) -> None:
        learned = {"modules": list(sys.modules), "asked": self.asked}
        self.learned.write_text(json.dumps(learned))

    def _learn(self) -> None:
        learned = json.loads(self.learned.read_text())
        with initialize_config_dir(str(conf_directory()), version_base="1.3"):
            loader: Any = GlobalHydra.instance().config_loader()
            for given, named in learned["asked"][len(self.asked) :]:
                named |= {"run_mode": RunMode[named["run_mode"]]} if "run_mode" in named else {}
                self._remembered(loader, *given, **named)
        for name in learned["modules"]:
            if name not in sys.modules:
                try:
                    importlib.import_module(name)
                except ImportError:
                    continue  # made up by another module
        gc.collect()
        gc.freeze()  # collecting would touch the pages that forks share
