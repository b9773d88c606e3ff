"""Entry points called as the command line does, in this process: seconds are saved that importing torch takes."""

import importlib
import signal
import sys
from dataclasses import dataclass
from types import ModuleType

import pytest
from hydra.core.global_hydra import GlobalHydra


@dataclass(frozen=True)
class Shown:
    """What a command left: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """What the person is told went wrong; no traceback."""
        assert "Traceback" not in self.out + self.err, self.err
        assert self.status == 2, self
        (told,) = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        return told.removeprefix("Error: ")


def command_of(module: str) -> ModuleType:
    """What python -m fer_perturb.<module> runs: of a folder its __main__."""
    found = importlib.import_module(f"fer_perturb.{module}")
    return importlib.import_module(f"{found.__name__}.__main__") if hasattr(found, "__path__") else found


def call(module: str, *words: str) -> int:
    """The exit status of python -m fer_perturb.<module> <words>."""
    main = command_of(module).main
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    GlobalHydra.instance().clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"fer_perturb.{module}", *words])
        try:
            main()
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        finally:
            GlobalHydra.instance().clear()
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return 0


class Commands:
    """`commands("train", "scheme=baseline")` is python -m fer_perturb.train scheme=baseline."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, module: str, *words: str) -> Shown:
        self.capsys.readouterr()
        status = call(module, *words)
        captured = self.capsys.readouterr()
        return Shown(status, captured.out, captured.err)
