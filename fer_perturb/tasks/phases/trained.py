"""What phases 1 and 3 do alike: fit, save, test, show, and account for it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers.logger import DummyLogger, Logger
from safetensors.torch import save

from fer_perturb.experiment.cost import batch_norm, looking, total, training
from fer_perturb.files import write_bytes
from fer_perturb.processes import is_first, of_each
from fer_perturb.runs.machine import device_name
from fer_perturb.runs.run_directory import commit
from fer_perturb.tasks.phases.cluster_mask_callback import ClusterMaskCallback
from fer_perturb.tasks.phases.epoch_pictures import EpochPictures
from fer_perturb.tasks.phases.phase import Phase, Run, ShownPhase
from fer_perturb.tasks.phases.predictor import Predictor
from fer_perturb.tasks.training.batch_norm import reestimate_batch_norm
from fer_perturb.tasks.training.callbacks import callbacks_of
from fer_perturb.tasks.training.classifier import Classifier
from fer_perturb.tasks.training.loggers import KeepsWeights, Shows, phase_logger
from fer_perturb.tasks.training.trainer import fit, make_trainer
from fer_perturb.tasks.training.write_predictions import predict, write_predictions

WEIGHTS = "weights.safetensors"


@contextmanager
def fitted(
    phase: Phase, task: Classifier, directory: Path, callbacks: Sequence[pl.Callback]
) -> Iterator[tuple[Logger, dict[str, Any]]]:
    """Fits a phase's classifier, with the experiment's callbacks before `callbacks`; the phase's logger, which is open
    until the block ends, and what was recorded. Checkpoints lie in `directory`."""
    run, experiment = phase.run, phase.experiment
    watching = [*callbacks_of(experiment.callbacks), *callbacks]
    with ExitStack() as stack:

        def logger_of_this_process() -> Logger:
            return stack.enter_context(phase_logger(experiment, phase.name)) if is_first() else DummyLogger()

        logger = of_each(logger_of_this_process)
        if is_first() and isinstance(logger, Shows) and logger.pictures_every_n_epochs:
            watching.append(EpochPictures(run, directory, logger, logger.pictures_every_n_epochs))
        record = fit(
            task, run.data, settings=experiment.trainer, directory=directory, logger=logger, callbacks=watching
        )
        yield logger, record
    run.data.trainer = None  # it would keep the phase's trainer, task and optimiser in memory


def train_and_test(
    phase: Phase,
    task: Classifier,
    directory: Path,
    clusters: ClusterMaskCallback | None = None,
    reestimate_bn: bool = False,
) -> dict[str, Any]:
    """Fits a phase's classifier, and leaves its weights, predictions and pictures in `directory`; what it recorded.

    reestimate_bn: whether batch norm's statistics are made anew, before testing. Of several processes the first tests
    it; what the others return is not used.
    """
    run, experiment = phase.run, phase.experiment
    with fitted(phase, task, directory, [clusters] if clusters else []) as (logger, record):
        epoch, step = record["epochs"] - 1, task.trainer.global_step - 1
        if not is_first():
            return record
        trainer = make_trainer(run.alone, task.recipe, directory, None)
        if reestimate_bn:
            record["batch_norm"] = reestimate_batch_norm(task, run.data, trainer)
        write_bytes(directory / WEIGHTS, save({key: value.contiguous() for key, value in task.state_dict().items()}))
        path = directory / "predictions" / f"{experiment.data.name}.parquet"
        write_predictions(path, experiment.data, predict(task, experiment.data, trainer), experiment.recipe.tta)
        run.show(ShownPhase(task, run.data, directory, logger, epoch=epoch, step=step, finished=True))
        if isinstance(logger, KeepsWeights):
            earlier = {f"{result.directory.parent.name}-{result.key}": result.directory for result in phase.made_from()}
            files = {name: folder / WEIGHTS for name, folder in earlier.items()}
            logger.weights(f"{phase.name}-{phase.key()}", directory / WEIGHTS, files)
    if clusters and clusters.history:
        record["clusters"] = clusters.history
    speed = record["images"] / record["seconds"]
    device = device_name(run.trainer.strategy.root_device, run.trainer.world_size)
    made = {"commit": commit(), "device": device, "images_per_second": speed}
    return {**record, **_spent(run, task, record), **made}


def _spent(run: Run, task: Classifier, record: dict[str, Any]) -> dict[str, int]:
    """The image passes and operations of what was recorded."""
    recipe, size, step = task.recipe, run.experiment.data.image_size, run.data.sampler.batch_size
    views = task.scheme.views_of_a_step if isinstance(task, Predictor) else 1
    costs = [training(task.network, recipe, size, images=record["images"], step=step, views=views)]
    if "batch_norm" in record:
        costs.append(batch_norm(task.network, recipe, size, record["batch_norm"]["images"]))
    if isinstance(task, Predictor) and task.sight.classifier is not None:
        looks = sum(entry["attention_passes"] for entry in record.get("clusters", []))
        costs.append(looking(task.sight.classifier.network, task.scheme, recipe, size, looks))
    spent = total(costs)
    return {"passes": spent.passes, "flops": spent.flops}
