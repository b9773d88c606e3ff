"""One wandb run per phase, one group per chain; or a csv file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger

from fer_perturb.errors import UserError, first_line
from fer_perturb.services import answers

MODES = ("offline", "online", "disabled")  # of conf/logger/wandb.yaml


@contextmanager
def phase_logger(config: DictConfig, phase: str, run: Path) -> Iterator[Logger]:
    """The logger of one phase of the chain in the directory `run`, closed at the end even when the phase fails."""
    directory = run / "logs"
    directory.mkdir(parents=True, exist_ok=True)
    if config.logger.kind not in ("csv", "wandb"):
        raise UserError(f"logger.kind={config.logger.kind}: expected csv or wandb.")
    if config.logger.kind == "csv":
        yield CSVLogger(directory, name=phase)
        return
    import wandb  # slow to import

    ways = "Take logger.mode=offline or logger=csv"
    if config.logger.mode not in MODES:
        raise UserError(f"logger.mode={config.logger.mode}: expected one of {', '.join(MODES)}.")
    address = wandb.setup().settings.base_url
    if config.logger.mode == "online" and not answers(address):
        raise UserError(
            f"logger.mode=online: {address} does not answer (no network?). {ways}; "
            "wandb sync sends an offline run later."
        )
    resolved: Any = OmegaConf.to_container(config, resolve=True)
    try:
        wandb_run = wandb.init(
            project=config.logger.project,
            mode=config.logger.mode,
            dir=directory,
            group=f"{config.dataset.name}/{config.model.backbone}/{config.scheme.name}/{run.name}",
            job_type=phase,
            name=f"{config.scheme.name} {phase} seed{config.seed}",
            config=resolved,
            # a run of its own even if the one before it was not closed
            settings=wandb.Settings(reinit="create_new", silent=True),
        )
    except wandb.errors.Error as error:
        raise UserError(
            f"logger.mode={config.logger.mode}: wandb cannot start: {first_line(error)} {ways}, or log in: wandb login"
        ) from error
    failed = True
    try:
        yield WandbLogger(experiment=wandb_run)
        failed = False
    finally:
        wandb_run.finish(exit_code=int(failed))
