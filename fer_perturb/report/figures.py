"""Pictures of the scheme at work: input, attention, clusters, views; and the confusion matrix."""

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from fer_perturb.files import write_bytes

CLUSTER_COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#e17c05"]
GAP = 3  # pixels between the pictures of a column


def scheme_figure(
    images: Tensor, attention: Tensor | None, labels: Tensor | None, views: Tensor | None, names: list[str]
) -> Figure:
    """A row an image: input, attention, clusters, and the views; no column for what is None.

    images: float (B, H, W) in [0, 1]. attention: (B, H, W) in [0, 1]. labels: int (B, H, W), -1 = never masked.
    views: float (n + 1, B, H, W) in [0, 1], the image itself last. names: B.
    """
    rows, n = len(images), 0 if views is None else len(views) - 1
    columns: dict[str, NDArray[np.float64]] = {"input": _strip(images)}
    if attention is not None:  # each map on its own scale
        low, high = attention.amin((1, 2), keepdim=True), attention.amax((1, 2), keepdim=True)
        columns["attention"] = _strip((attention - low) / (high - low).clamp(min=1e-12))
    if labels is not None:
        columns["clusters"] = columns["input"]
    for k, view in enumerate(() if views is None else views):
        columns[f"without {k + 1}" if k < n else "whole"] = _strip(view)

    figure = Figure(figsize=(1.5 * len(columns), 1.5 * rows + 0.5), layout="constrained")
    # one axis for a whole column: an axis for each picture takes twice as long to draw
    axes = figure.subplots(1, len(columns), squeeze=False)[0]
    for axis, (title, strip) in zip(axes, columns.items(), strict=True):
        axis.imshow(strip, cmap="viridis" if title == "attention" else "gray", vmin=0, vmax=1)
        axis.set_title(title, fontsize=10)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
        if labels is not None and title == "clusters":
            colours = ListedColormap([CLUSTER_COLOURS[k % len(CLUSTER_COLOURS)] for k in range(n)])
            hidden = np.ma.masked_less(np.nan_to_num(_strip(labels), nan=-1), 0)
            axis.imshow(hidden, cmap=colours, vmin=-0.5, vmax=n - 0.5, alpha=0.55, interpolation="nearest")
    height = images.shape[1] + GAP
    axes[0].set_yticks(np.arange(rows) * height + images.shape[1] / 2, names, rotation=90, va="center")
    axes[0].tick_params(length=0)
    return figure


def _strip(pictures: Tensor) -> NDArray[np.float64]:
    """(B, H, W), one below the other, nothing (nan) between them: (B * (H + GAP) - GAP, W)."""
    framed = np.full((len(pictures), pictures.shape[1] + GAP, pictures.shape[2]), np.nan)
    framed[:, :-GAP] = pictures.numpy()
    return framed.reshape(-1, pictures.shape[2])[:-GAP]


def confusion_figure(matrix: NDArray[np.int64], classes: tuple[str, ...]) -> Figure:
    """matrix: (classes, classes), rows are the true class, columns the predicted one; shown as shares of the row.

    A row without images has no shares: "-".
    """
    images = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(images, 1)
    side = 1.5 + 0.6 * len(classes)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.5 else "black"
        axis.text(
            column,
            row,
            f"{100 * share:.0f}" if images[row, 0] else "-",
            ha="center",
            va="center",
            color=colour,
            fontsize=9,
        )
    axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axis.set_yticks(range(len(classes)), classes)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    axis.set_title("test split, % of the true class", fontsize=10)
    return figure


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG."""
    drawn = io.BytesIO()
    with mpl.rc_context({"savefig.dpi": 110}):
        figure.savefig(drawn, format="png")
    return drawn.getvalue()


def as_svg(figure: Figure) -> bytes:
    """The figure as an SVG, the same bytes each time, its letters as text."""
    drawn = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fer_perturb"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a PNG, whole or not at all."""
    write_bytes(path, as_png(figure))
