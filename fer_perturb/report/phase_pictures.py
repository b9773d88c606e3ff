"""What a phase that trains shows: pictures in its directory; pictures, scores and tables in its logger."""

from typing import Any, cast

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from fer_perturb.analysis.metrics import scores
from fer_perturb.analysis.predictions import Predictions, read_predictions
from fer_perturb.data.loading.batches import Batch, Batches
from fer_perturb.files import write_bytes
from fer_perturb.models.gates import GatedNetwork
from fer_perturb.report.figures import as_png, confusion_figure, scheme_figure
from fer_perturb.tasks.phases.phase import ShownPhase
from fer_perturb.tasks.phases.predictor import Predictor
from fer_perturb.tasks.training.loggers import Shows

PER_CLASS = 1  # images of each class in the picture of the scheme
LOGGED = ("accuracy", "balanced_accuracy", "f1_macro")


def show_phase(phase: ShownPhase) -> None:
    """Shows faces with attention, clusters and views; of a finished phase also its confusion matrix and scores.

    The matrix and the scheme's picture lie in the directory of a finished phase, whatever its logger can show.
    """
    logger = phase.logger if isinstance(phase.logger, Shows) else None
    if phase.finished:
        _show_scores(phase, logger)
    name, kept = ("scheme", phase.finished) if isinstance(phase.task, Predictor) else ("attention", False)
    wanted = logger is not None and logger.pictures_every_n_epochs > 0
    if (kept or wanted) and (figure := _faces(phase)):
        png = as_png(figure)
        if kept:
            write_bytes(phase.directory / "pictures" / f"{name}.png", png)
        if logger and wanted:
            logger.picture(name, png, phase.step)


def _show_scores(phase: ShownPhase, logger: Shows | None) -> None:
    inference = phase.task.scheme.inference if isinstance(phase.task, Predictor) else "original"
    ways = {"val_tested": ("val", inference), "test": ("test", inference)}
    ways |= {"test_original": ("test", "original"), "test_views": ("test", "views")}
    judged = {name: found for name, way in ways.items() if (found := _read(phase, *way)) is not None}
    reached = {name: scores(predictions) for name, predictions in judged.items()}
    matrix = as_png(_confusion(judged["test"]))
    write_bytes(phase.directory / "pictures" / "confusion.png", matrix)
    numbers = {f"{name}/{key}": of[key] for name, of in reached.items() for key in LOGGED}
    classes: dict[str, dict[str, Any]] = reached["test"]["per_class"]
    numbers |= {f"test_by_class/{name}": of["accuracy"] for name, of in classes.items() if of["support"]}
    phase.logger.log_metrics({**numbers, "epoch": phase.epoch}, phase.step)
    if logger:
        logger.picture("confusion", matrix, phase.step)
        rows = [[name, of["accuracy"], of["f1"], of["support"]] for name, of in classes.items()]
        logger.table("per_class", ["class", "accuracy", "f1", "support"], rows, phase.step)
    phase.logger.save()  # Lightning has finished with the logger before this


def _read(phase: ShownPhase, split: str, inference: Any) -> Predictions | None:
    path = phase.directory / "predictions" / f"{phase.data.packed.name}.parquet"
    return read_predictions(path, split=split, inference=inference, tta=phase.task.recipe.tta)


def _confusion(predictions: Predictions) -> Figure:
    classes = predictions.classes
    matrix = multiclass_confusion_matrix(predictions.logits, predictions.labels, len(classes))
    return confusion_figure(matrix.numpy(), classes)


@torch.no_grad()
def _faces(phase: ShownPhase) -> Figure | None:
    """Images of val, with the maps and views that a predictor judges them by; None where there is nothing to see."""
    task, packed = phase.task, phase.data.packed
    val, classes = packed.splits["val"], packed.classes
    rows = [np.flatnonzero(val.labels == k)[:PER_CLASS] for k in range(len(classes))]
    batch = Batches(val)[np.concatenate(rows).astype(np.int64)]
    batch = cast(Batch, {key: value.to(task.device) for key, value in batch.items() if isinstance(value, Tensor)})
    names = [classes[int(label)] for label in batch["label"]]
    task.eval()
    if isinstance(task, Predictor):
        images, labels = task.test_inputs(batch)
        attention = _plain(task.sight.of_grey(images)) if task.scheme.attention else None
        views = _plain(task.views(images, labels).squeeze(-3))
        return scheme_figure(_plain(images.squeeze(-3)), attention, labels.cpu(), views, names)
    if isinstance(task.network, GatedNetwork):
        images = task.crops(batch["image"], "none")[0]
        return scheme_figure(_plain(images.squeeze(-3)), _plain(task.attention(images)), None, None, names)
    return None


def _plain(pictures: Tensor) -> Tensor:
    return pictures.float().cpu()
