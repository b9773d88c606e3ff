"""Where a phase's metrics go: what conf/logger names, anew for each phase."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.loggers import Logger

from fer_perturb.checked import made
from fer_perturb.errors import UserError, first_line
from fer_perturb.experiment.experiment import Experiment


@runtime_checkable
class Shows(Protocol):
    """A logger that shows more than numbers: ours of wandb and TensorBoard, and anybody's with these methods."""

    pictures_every_n_epochs: int
    """how often faces are shown with attention, clusters and views; 0: never"""

    def picture(self, name: str, png: bytes, step: int) -> None:
        """Shows a picture, a PNG, at a training step."""
        ...

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int) -> None:
        """Shows a table, whose rows hold plain values."""
        ...


@runtime_checkable
class KeepsWeights(Protocol):
    """A logger that keeps the weights of trained phases, and knows which were made from which."""

    def weights(self, name: str, file: Path, made_from: dict[str, Path]) -> None:
        """Keeps the file under a name that its content decides; made_from: earlier ones by their names."""
        ...


@contextmanager
def phase_logger(experiment: Experiment, phase: str) -> Iterator[Logger]:
    """The logger of one phase of the chain in the run's directory, told the settings, and closed even when the phase
    fails.

    Any of Lightning's will do that takes save_dir, the run's logs, and name, the phase; what has a `close(failed)` is
    closed by it. Raises UserError for what cannot be made.
    """
    directory = experiment.directory / "logs"
    directory.mkdir(parents=True, exist_ok=True)
    make = made({**experiment.logger, "_partial_": True}, "logger")
    try:
        logger = make(save_dir=directory, name=phase)
    except (TypeError, ValueError, ImportError, MisconfigurationException) as error:
        raise UserError(f"logger cannot be made: {first_line(error)}") from error
    if not isinstance(logger, Logger):
        raise UserError(f"logger._target_={experiment.logger['_target_']}: expected a Logger of Lightning's.")
    failed = True
    try:
        logger.log_hyperparams({**experiment.settings, "about": {"phase": phase, **experiment.about()}})
        yield logger
        failed = False
    finally:
        close = getattr(logger, "close", None)
        if close is not None:
            close(failed)
