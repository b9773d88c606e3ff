"""What the entry points share: Hydra, and errors that a person can read."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Generic, NoReturn, TypeVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_perturb.command_line.composed import Composed, composed_here, in_a_sweep
from fer_perturb.command_line.help import help_text, is_asked
from fer_perturb.command_line.parent import end_with_parent
from fer_perturb.command_line.renamed_keys import refuse_renamed
from fer_perturb.command_line.words import PATHS, as_typed, composition_error, refuse_unread
from fer_perturb.errors import OtherProcessError, UserError
from fer_perturb.files import BARRED, FULL, IN_THE_WAY

FAILED = 2

Result = TypeVar("Result")


class Stopped(BaseException):
    """This process was told to stop: no Exception, so that it ends a sweep as well as a job."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def conf_directory() -> Path:
    """The folder of configs: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def entry_point(
    config_name: str,
    task: Callable[[DictConfig], Result | None],
    report: Callable[[list[Result], DictConfig], None],
    *,
    goes_on: bool = False,
    sweep: Callable[[list[Composed]], tuple[list[Result], bool]] | None = None,
) -> Callable[[], None]:
    """A command line for `task`: composes conf/<config_name>.yaml with the overrides given and calls it.

    `report` gets the results, other than None, of all jobs that succeeded, if there are any, and the last config. In a
    multirun a job that ends in a UserError does not keep the others from running; the exit status is 2 if any did, or
    if the command line is wrong. A signal to stop ends all jobs, and is what the process then ends by; `goes_on`:
    whether the same command then goes on where this one was. `sweep` runs the jobs of a multirun elsewhere, unless
    `launcher.workers` is 0; it returns the results of those that succeeded, and whether any failed.
    """

    def main() -> None:
        jobs = _Jobs(task, config_name, collected=sweep is not None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
        end_with_parent()
        given = sys.argv[1:]
        os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # its own page would end the process, with another status
        with jobs.failing(given):
            try:
                refuse_renamed(given)
                sys.argv[1:] = as_typed(given)
                if is_asked(given):
                    print(help_text(config_name, sys.argv[1:], conf_directory()))
                    return
                hydra.main(version_base="1.3", config_path=str(conf_directory()), config_name=config_name)(jobs.run)()
                if jobs.composed and sweep is not None:
                    jobs.results, failed = sweep(jobs.composed)
                    jobs.failed = jobs.failed or failed
                if jobs.results:
                    report(jobs.results, jobs.configs[-1])
            except Stopped as stopped:
                _end(stopped, goes_on)
        if jobs.failed and first_process():
            sys.exit(FAILED)

    return main


class _Jobs(Generic[Result]):
    """The jobs of a command: their configs, what those that succeeded gave, and whether any failed.

    collected: those of a multirun are not run, but `composed`, for others to run.
    """

    def __init__(self, task: Callable[[DictConfig], Result | None], config_name: str, *, collected: bool) -> None:
        self.task = task
        self.config_name = config_name
        self.collected = collected
        self.configs: list[DictConfig] = []
        self.composed: list[Composed] = []
        # its lines come before the jobs are known to be this process's
        logging.getLogger("hydra._internal.core_plugins.basic_launcher").setLevel(logging.WARNING)
        self.results: list[Result] = []
        self.failed = False

    def run(self, config: DictConfig) -> None:
        self.configs.append(config)
        logging.getLogger("faiss").setLevel(logging.WARNING)  # it tells which of its builds it did not find
        with self.failing():
            refuse_unread(config, self.config_name, HydraConfig.get().overrides.task, conf_directory())
            expand_home(config)
            if in_a_sweep():
                job = composed_here(config)
                if self.collected and config.launcher.workers != 0 and not started_to_train_together():
                    self.composed.append(job)
                    return
                print(f"#{len(self.configs) - 1} : {' '.join(job.overrides)}")
            result = self.task(config)
            if result is not None:
                self.results.append(result)

    @contextmanager
    def failing(self, words: Sequence[str] | None = None) -> Iterator[None]:
        """What a person can put right is told, and no reason to stop; so is what Hydra says of `words`."""
        try:
            yield
        except UserError as error:
            self._tell(error)
        except (HydraException, OmegaConfBaseException) as error:  # before OSError: MissingConfigException is both
            of_words = words is not None
            self._tell(composition_error(error, self.config_name, words or [], conf_directory()) if of_words else error)
        except OSError as error:
            if not of_a_file(error):
                raise
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        self.failed = True
        if not isinstance(error, OtherProcessError):
            print(f"\nError: {told(error)}", file=sys.stderr)


def told(error: Exception) -> str:
    """What a person is told of an error."""
    if isinstance(error, OSError) and error.errno in FULL and error.filename is None:  # of a file that was open
        return f"A file cannot be written: {error.strerror}. Make room, and run the same command again."
    if isinstance(error, OSError):
        name = error.filename2 or error.filename or "A file"  # the second one is where something was to be renamed to
        return (
            f"{name} cannot be used: {error.strerror}. Mend it, or move it out of the way, and run the same command "
            "again."
        )
    return str(error)


def of_a_file(error: OSError) -> bool:
    """Whether it is about a file, which the person at the keyboard can look at: unreadable, or something in its way."""
    return error.filename is not None or error.errno in FULL | BARRED | IN_THE_WAY


def expand_home(config: DictConfig) -> None:
    """`~` in front of a path means what it means in a shell, which replaces it in some places and not in others."""
    for key in PATHS:
        value: Any = OmegaConf.select(config, key)
        if isinstance(value, str) and value.startswith("~"):
            OmegaConf.update(config, key, os.path.expanduser(value))  # noqa: PTH111, Path's raises for no such person


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # the second one ends the process at once
    raise Stopped(number)


def _end(stopped: Stopped, goes_on: bool) -> None:
    if first_process():
        again = "goes on where this one was" if goes_on else "begins anew, as no file is half written"
        print(f"\nStopped ({stopped}). The same command {again}.", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(stopped.number, signal.SIG_DFL)
    os.kill(os.getpid(), stopped.number)  # so that whoever started this one knows why it ended


def started_to_train_together() -> bool:
    """Whether Lightning, torchrun or srun has started this process beside others, with which its jobs go in step."""
    return "LOCAL_RANK" in os.environ or int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1


def first_process() -> bool:
    """Of processes that train together the others leave the exit status to the first: who starts them would kill it."""
    if "torch" not in sys.modules:
        return True
    from fer_perturb.processes import is_first

    return is_first()
