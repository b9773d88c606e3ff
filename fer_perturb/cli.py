"""What the entry points share: Hydra, and errors that a person can read."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import hydra
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from fer_perturb.errors import UserError

FAILED = 2

Result = TypeVar("Result")


def conf_directory() -> Path:
    """The folder of configs: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def entry_point(
    config_name: str, task: Callable[[DictConfig], Result | None], report: Callable[[list[Result], DictConfig], None]
) -> Callable[[], None]:
    """A command line for `task`: composes conf/<config_name>.yaml with the overrides given and calls it.

    `report` gets the results, other than None, of all jobs that succeeded, if there are any, and the last config. In a
    multirun a job that ends in a UserError does not keep the others from running; the exit status is 2 if any did.
    """

    def main() -> None:
        failures: list[str] = []
        results: list[Result] = []
        configs: list[DictConfig] = []

        def job(config: DictConfig) -> None:
            configs.append(config)
            logging.getLogger("faiss").setLevel(logging.WARNING)  # it tells which of its builds it did not find
            try:
                result = task(config)
                if result is not None:
                    results.append(result)
            except (UserError, OmegaConfBaseException) as error:
                failures.append(str(error))
                print(f"\nError: {error}", file=sys.stderr)

        hydra.main(version_base="1.3", config_path=str(conf_directory()), config_name=config_name)(job)()
        if results:
            try:
                report(results, configs[-1])
            except UserError as error:
                failures.append(str(error))
                print(f"\nError: {error}", file=sys.stderr)
        if failures and first_process():
            sys.exit(FAILED)

    return main


def first_process() -> bool:
    """Of processes that train together the others leave the exit status to the first: who starts them would kill it."""
    if "torch" not in sys.modules:
        return True
    from fer_perturb.tasks.processes import is_first

    return is_first()
