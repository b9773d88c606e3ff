"""What a phase shows when it is done: pictures in its directory and in its logger."""

from typing import cast

import numpy as np
import torch
from matplotlib.figure import Figure
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.data.loading.batches import Batch, Batches
from fer_perturb.report.figures import confusion_figure, save_figure, scheme_figure
from fer_perturb.tasks.phases.phase import FinishedPhase
from fer_perturb.tasks.phases.predictor import Predictor

PER_CLASS = 1  # images of each class in the picture of the scheme


def show_phase(phase: FinishedPhase) -> None:
    """Draws the confusion matrix and, of a scheme that masks, the picture of input, attention, clusters, views."""
    pictures = {"confusion": _confusion(phase)}
    if isinstance(phase.task, Predictor):
        pictures["scheme"] = _scheme(phase, phase.task)
    for name, figure in pictures.items():
        path = phase.directory / "pictures" / f"{name}.png"
        save_figure(figure, path)
        if isinstance(phase.logger, WandbLogger):
            phase.logger.log_image(name, [str(path)])


def _confusion(phase: FinishedPhase) -> Figure:
    path = phase.directory / "predictions" / f"{phase.data.packed.name}.parquet"
    inference = phase.task.scheme.inference if isinstance(phase.task, Predictor) else "original"
    test = read_predictions(path, split="test", inference=inference, tta=phase.task.recipe.tta)
    assert test is not None
    matrix = multiclass_confusion_matrix(test.logits, test.labels, len(test.classes))
    return confusion_figure(matrix.numpy(), test.classes)


def _scheme(phase: FinishedPhase, task: Predictor) -> Figure:
    """Images of val, with the maps and views that the tested predictor judges them by."""
    val, classes = phase.data.packed.splits["val"], phase.data.packed.classes
    rows = [np.flatnonzero(val.labels == k)[:PER_CLASS] for k in range(len(classes))]
    batch = Batches(val)[np.concatenate(rows).astype(np.int64)]
    batch = cast(Batch, {key: value.to(task.device) for key, value in batch.items() if isinstance(value, Tensor)})
    with torch.no_grad():
        task.eval()
        images, labels = task.shown(batch)
        attention = task.sight.of_grey(images).cpu() if task.scheme.attention else None
    views = task.views(images, labels)
    names = [classes[int(label)] for label in batch["label"]]
    return scheme_figure(_plane(images), attention, labels.cpu(), _plane(views), names)


def _plane(images: Tensor) -> Tensor:
    return images.squeeze(-3).cpu()
