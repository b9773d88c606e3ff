"""One wandb run per phase, one group per chain; or a csv file."""

from collections.abc import Iterator
from contextlib import contextmanager

from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger

from fer_perturb.errors import UserError, first_line
from fer_perturb.experiment.experiment import Experiment
from fer_perturb.services import answers

MODES = ("offline", "online", "disabled")  # of conf/logger/wandb.yaml


@contextmanager
def phase_logger(experiment: Experiment, phase: str) -> Iterator[Logger]:
    """The logger of one phase of the chain in the run's directory, closed at the end even when the phase fails."""
    kind, mode, run = experiment.logger["kind"], experiment.logger.get("mode"), experiment.directory
    directory = run / "logs"
    directory.mkdir(parents=True, exist_ok=True)
    if kind not in ("csv", "wandb"):
        raise UserError(f"logger.kind={kind}: expected csv or wandb.")
    if kind == "csv":
        yield CSVLogger(directory, name=phase)
        return
    import wandb  # slow to import

    ways = "Take logger.mode=offline or logger=csv"
    if mode not in MODES:
        raise UserError(f"logger.mode={mode}: expected one of {', '.join(MODES)}.")
    address = wandb.setup().settings.base_url
    if mode == "online" and not answers(address):
        raise UserError(
            f"logger.mode=online: {address} does not answer (no network?). {ways}; "
            "wandb sync sends an offline run later."
        )
    try:
        wandb_run = wandb.init(
            project=experiment.logger["project"],
            mode=mode,
            dir=directory,
            group=f"{'/'.join(run.parts[-4:])}",
            job_type=phase,
            name=f"{experiment.scheme.name} {phase} seed{experiment.seed}",
            config=experiment.settings,
            # a run of its own even if the one before it was not closed
            settings=wandb.Settings(reinit="create_new", silent=True),
        )
    except wandb.errors.Error as error:
        raise UserError(
            f"logger.mode={mode}: wandb cannot start: {first_line(error)} {ways}, or log in: wandb login"
        ) from error
    failed = True
    try:
        yield WandbLogger(experiment=wandb_run)
        failed = False
    finally:
        wandb_run.finish(exit_code=int(failed))
