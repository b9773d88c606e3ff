"""One wandb run per phase, one group per chain (conf/logger/wandb.yaml)."""

import io
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any, cast

from PIL import Image
from pytorch_lightning.loggers import WandbLogger

from fer_perturb.errors import UserError, first_line, warn
from fer_perturb.services import answers

MODES = ("offline", "online", "disabled")
STEP = "trainer/global_step"  # Lightning's name for it
LONGEST_TAG = 64  # characters; wandb refuses longer ones


class PhaseWandbLogger(WandbLogger):
    """Lightning's, with a run of its own for each phase, named after the folder of the chain's.

    save_dir: <outputs>/<dataset>/<model>/<scheme>/seed<k>-<h8>/logs. name: the phase. pictures_every_n_epochs: see
    `Shows`. Raises UserError for an unknown mode, and where wandb cannot start.
    """

    def __init__(self, *, save_dir: Path, name: str, project: str, mode: str, pictures_every_n_epochs: int) -> None:
        import wandb  # slow to import

        if mode not in MODES:
            raise UserError(f"logger.mode={mode}: expected one of {', '.join(MODES)}.")
        ways = "Take logger.mode=offline or logger=csv"
        address = wandb.setup().settings.base_url
        if mode == "online" and not answers(address):
            raise UserError(
                f"logger.mode=online: {address} does not answer (no network?). {ways}; "
                "make wandb-sync sends offline runs later."
            )
        self.place = save_dir.parts[-5:-1]
        try:
            run = wandb.init(
                project=project,
                mode=cast(Any, mode),  # one of MODES
                dir=save_dir,
                id=token_hex(8),  # WANDB_RUN_ID, where it is set, would be that of all phases and jobs
                group="/".join(self.place),
                job_type=name,
                name=f"{self.place[-2]} {name} {self.place[-1].partition('-')[0]}",
                # a run of its own even if the one before it was not closed
                settings=wandb.Settings(reinit="create_new", silent=True),
            )
        except wandb.errors.Error as error:
            raise UserError(
                f"logger.mode={mode}: wandb cannot start: {first_line(error)} {ways}, or log in: wandb login"
            ) from error
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP, step_sync=True)
        super().__init__(experiment=run)
        self.online = mode == "online"
        self.pictures_every_n_epochs = pictures_every_n_epochs

    def log_hyperparams(self, params: Any) -> None:
        """The settings become the run's config, and those that people choose runs by become its tags."""
        super().log_hyperparams(params)
        dataset, model, scheme, seed = self.place
        about = params["about"]
        tags = (dataset, model, scheme, seed.partition("-")[0], params["recipe"]["name"], about["phase"])
        sweep = [about["sweep"]] if about["sweep"] else []
        self.experiment.tags = tuple(dict.fromkeys(str(tag)[:LONGEST_TAG] for tag in (*tags, *sweep)))

    def picture(self, name: str, png: bytes, step: int) -> None:
        import wandb

        self.experiment.log({name: wandb.Image(Image.open(io.BytesIO(png))), STEP: step})

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int) -> None:
        import wandb

        self.experiment.log({name: wandb.Table(columns=list(columns), data=[list(row) for row in rows]), STEP: step})

    def weights(self, name: str, file: Path, made_from: dict[str, Path]) -> None:
        """An artifact of the run's, made from others: wandb knows each by its content, whoever has sent it. Only
        online: what is sent later would need the space twice.

        A phase that is done does not fail because wandb cannot be reached any more.
        """
        if not self.online:
            return
        try:
            for other, path in made_from.items():
                self.experiment.use_artifact(weights_artifact(other, path))
            self.experiment.log_artifact(weights_artifact(name, file))
        except Exception as error:  # of the service's, which are of many kinds
            warn(f"wandb does not have the weights {name}: {first_line(error)} They lie in the run's folder.")

    def close(self, failed: bool) -> None:
        """Ends the run; failed: whether the phase did."""
        self.experiment.finish(exit_code=int(failed))


def weights_artifact(name: str, file: Path) -> Any:
    """A file of weights as wandb keeps it: an artifact of type "weights"."""
    import wandb

    artifact = wandb.Artifact(name, type="weights")
    artifact.add_file(str(file))
    return artifact
