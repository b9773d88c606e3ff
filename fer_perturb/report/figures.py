"""Pictures of the scheme at work: input, attention, clusters, views; and the confusion matrix."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from fer_perturb.files import atomic_file

CLUSTER_COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#e17c05"]


def scheme_figure(images: Tensor, attention: Tensor | None, labels: Tensor, views: Tensor, names: list[str]) -> Figure:
    """A row an image: input, attention, clusters, and the views.

    images: float (B, H, W) in [0, 1]. attention: (B, H, W) in [0, 1]; None: no column for it, as clusters do not come
    from attention. labels: int (B, H, W), -1 = never masked.
    views: float (n + 1, B, H, W) in [0, 1], the image itself last. names: B.
    """
    rows, n = len(images), len(views) - 1
    titles = ["input", *(["attention"] if attention is not None else []), "clusters"]
    first = len(titles)  # column of the views
    titles += [*(f"without {k + 1}" for k in range(n)), "whole"]
    figure = Figure(figsize=(1.5 * len(titles), 1.5 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, len(titles), squeeze=False)
    colours = ListedColormap([CLUSTER_COLOURS[k % len(CLUSTER_COLOURS)] for k in range(n)])
    for row in range(rows):
        face = {"cmap": "gray", "vmin": 0, "vmax": 1}
        axes[row, 0].imshow(images[row].numpy(), **face)
        axes[row, 0].set_ylabel(names[row])
        if attention is not None:
            axes[row, 1].imshow(attention[row].numpy(), cmap="viridis")  # each map on its own scale
        axes[row, first - 1].imshow(images[row].numpy(), **face)
        shown = np.ma.masked_less(labels[row].numpy(), 0)
        axes[row, first - 1].imshow(shown, cmap=colours, vmin=-0.5, vmax=n - 0.5, alpha=0.55, interpolation="nearest")
        for k, view in enumerate(views[:, row]):
            axes[row, first + k].imshow(view.numpy(), **face)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=10)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    return figure


def confusion_figure(matrix: NDArray[np.int64], classes: tuple[str, ...]) -> Figure:
    """matrix: (classes, classes), rows are the true class, columns the predicted one; shown as shares of the row."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 1.5 + 0.6 * len(classes)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.5 else "black"
        axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=9)
    axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axis.set_yticks(range(len(classes)), classes)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    axis.set_title("test split, % of the true class", fontsize=10)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a PNG, whole or not at all."""
    with mpl.rc_context({"savefig.dpi": 110}), atomic_file(path) as temporary:
        figure.savefig(temporary, format="png")
