"""One wandb run per phase, one group per chain (conf/logger/wandb.yaml)."""

from pathlib import Path
from typing import Any, cast

from pytorch_lightning.loggers import WandbLogger

from fer_perturb.errors import UserError, first_line
from fer_perturb.services import answers

MODES = ("offline", "online", "disabled")


class PhaseWandbLogger(WandbLogger):
    """Lightning's, with a run of its own for each phase, named after the folder of the chain's.

    save_dir: <outputs>/<dataset>/<model>/<scheme>/seed<k>-<h8>/logs. name: the phase. Raises UserError for an unknown
    mode, and where wandb cannot start.
    """

    def __init__(self, *, save_dir: Path, name: str, project: str, mode: str) -> None:
        import wandb  # slow to import

        if mode not in MODES:
            raise UserError(f"logger.mode={mode}: expected one of {', '.join(MODES)}.")
        ways = "Take logger.mode=offline or logger=csv"
        address = wandb.setup().settings.base_url
        if mode == "online" and not answers(address):
            raise UserError(
                f"logger.mode=online: {address} does not answer (no network?). {ways}; "
                "wandb sync sends an offline run later."
            )
        place = save_dir.parts[-5:-1]
        try:
            run = wandb.init(
                project=project,
                mode=cast(Any, mode),  # one of MODES
                dir=save_dir,
                group="/".join(place),
                job_type=name,
                name=f"{place[-2]} {name} {place[-1].partition('-')[0]}",
                # a run of its own even if the one before it was not closed
                settings=wandb.Settings(reinit="create_new", silent=True),
            )
        except wandb.errors.Error as error:
            raise UserError(
                f"logger.mode={mode}: wandb cannot start: {first_line(error)} {ways}, or log in: wandb login"
            ) from error
        super().__init__(experiment=run)

    def close(self, failed: bool) -> None:
        """Ends the run; failed: whether the phase did."""
        self.experiment.finish(exit_code=int(failed))
