"""Where networks look, as pictures: faces with their saliency, mean maps, densities and curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fer_perturb.report.figures import CLUSTER_COLOURS, GAP
from fer_perturb.saliency.comparing import Comparison
from fer_perturb.saliency.measured import RANDOM, Measured
from fer_perturb.saliency.regions import FEATURES, PARTS

Array = NDArray[np.float32]
SIDE = 1.25  # inches of a face
BRIGHTEST = 99  # percentile of a map that is drawn as its brightest


def face_figure(of: Sequence[tuple[str, Measured]], methods: Sequence[str]) -> Figure:
    """The paper's Figures 1 and 6: a column an emotion; a row the faces, and one a network and estimator.

    of: networks by their titles, looked at on the same faces.
    """
    first = of[0][1]
    rows = {"image": first.maps["example/image"]}
    for title, measured in of:
        named = [method for method in methods if f"example/{method}" in measured.maps]
        rows |= {f"{title}\n{method}" if title else method: measured.maps[f"example/{method}"] for method in named}
    return _grid(rows, _emotions(first), None)


def mean_figure(of: Sequence[tuple[str, Measured]], methods: Sequence[str]) -> Figure:
    """The same of the mean over each emotion's faces, with outlines of brows, eyes, nose and mouth, where at least half
    as many faces have them as anywhere."""
    first = of[0][1]
    rows: dict[str, Array] = {}
    for title, measured in of:
        named = [method for method in methods if f"mean/{method}" in measured.maps]
        rows |= {f"{title}\n{method}" if title else method: measured.maps[f"mean/{method}"] for method in named}
    return _grid(rows, _emotions(first), first.maps["mean/parts"])


def density_figure(of: Comparison) -> Figure:
    """Density on each feature, with its interval: a panel an estimator, a colour an arm."""
    methods = list(dict.fromkeys(method for name in of.arms for method in of.methods(name)))
    figure = Figure(figsize=(2.9 * len(methods) + 0.6, 3.4), layout="constrained")
    axes = figure.subplots(1, len(methods), squeeze=False, sharey=True)[0]
    for axis, method in zip(axes, methods, strict=True):
        arms = [name for name in of.arms if method in of.methods(name)]
        for place, name in enumerate(arms):
            found = of.densities(name, method)[: len(FEATURES)]
            x = np.arange(len(FEATURES)) + 0.16 * (place - (len(arms) - 1) / 2)
            value, low, high = (np.array([getattr(one, end) for one in found]) for end in ("value", "low", "high"))
            colour = CLUSTER_COLOURS[list(of.arms).index(name) % len(CLUSTER_COLOURS)]
            style: Any = {"fmt": "o", "markersize": 4, "capsize": 2, "color": colour}
            axis.errorbar(x, value, np.stack([value - low, high - value]).clip(min=0), label=name, **style)
        axis.axhline(1, color="0.6", linewidth=0.8)
        axis.set_title(method, fontsize=10)
        axis.set_xticks(range(len(FEATURES)), list(FEATURES), fontsize=9)
    axes[0].set_ylim(bottom=0)  # of all panels, once all is drawn
    axes[0].set_ylabel("saliency per pixel, mean = 1", fontsize=9)
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    return figure


def curve_figure(measured: Measured) -> Figure:
    """Deletion and insertion: a line an estimator, random order dashed."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    told = measured.told["curves"]
    titles = {"deletion": "deleted, the most salient first", "insertion": "shown, the most salient first"}
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        for place, (method, of) in enumerate(told.items()):
            control: Any = {"color": "0.4", "linestyle": "--"}
            style = control if method == RANDOM else {"color": CLUSTER_COLOURS[place % len(CLUSTER_COLOURS)]}
            axis.plot(np.linspace(0, 100, len(of[name])), of[name], label=method, **style)
        axis.set_xlabel(f"pixels {title}, %", fontsize=9)
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel("probability of the emotion", fontsize=9)
    axes[1].legend(fontsize=8, frameon=False)
    return figure


def cluster_figure(measured: Measured) -> Figure | None:
    """Figure 4 as numbers have it: of each map, how much of each part lies in each cluster; None without clusters."""
    told = measured.told["clusters"]
    if told is None:
        return None
    maps = told["maps"]
    figure = Figure(figsize=(1.7 * len(maps) + 1, 0.42 * told["n"] + 1.2), layout="constrained")
    axes = figure.subplots(1, len(maps), squeeze=False, sharey=True)[0]
    for axis, of in zip(axes, maps, strict=True):
        shares = np.array([[cell["value"] for cell in row] for row in of["share"]], dtype=np.float64)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else "black"
            axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=colour)
        axis.set_xticks(range(len(PARTS)), list(PARTS), rotation=60, fontsize=7)
        axis.set_yticks(range(len(shares)), [str(k + 1) for k in range(len(shares))], fontsize=8)
        axis.set_title(of["when"] if isinstance(of["when"], str) else f"epoch {of['when'] + 1}", fontsize=8)
        axis.tick_params(length=0)
    axes[0].set_ylabel("cluster", fontsize=8)
    return figure


def _grid(rows: dict[str, Array], columns: Sequence[str], parts: Array | None) -> Figure:
    """rows: title -> (E, h, w), a picture an emotion. parts: (E, 5, h, w), whose outlines are drawn on top."""
    figure = Figure(figsize=(SIDE * len(columns) + 0.6, SIDE * len(rows) + 0.3), layout="constrained")
    # one axis for a whole row: an axis for each picture takes many times as long to draw
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axis, (title, pictures) in zip(axes, rows.items(), strict=True):
        photograph = title == "image"
        scaled = [picture if photograph else picture / _brightest(picture) for picture in pictures]
        axis.imshow(_strip(np.stack(scaled)), cmap="gray" if photograph else "viridis", vmin=0, vmax=1)
        if parts is not None:
            for outline in (np.nan_to_num(_strip(parts[:, at])) for at in range(len(FEATURES))):
                if outline.max() > 0:
                    axis.contour(outline, [outline.max() / 2], colors="white", linewidths=0.8)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
        axis.set_ylabel(title, fontsize=8)
    width = next(iter(rows.values())).shape[-1]
    axes[0].set_xticks((width + GAP) * np.arange(len(columns)) + width / 2, list(columns), fontsize=9)
    axes[0].tick_params(length=0, labeltop=True, labelbottom=False)
    return figure


def _brightest(picture: Array) -> float:
    top = float(np.nanpercentile(picture, BRIGHTEST)) if np.isfinite(picture).any() else 0.0
    return top or 1.0


def _strip(pictures: Array) -> Array:
    """(E, h, w), one beside the other, nothing (nan) between them: (h, E * (w + GAP) - GAP)."""
    framed = np.full((*pictures.shape[:2], pictures.shape[2] + GAP), np.nan, dtype=np.float32)
    framed[..., :-GAP] = pictures
    return np.concatenate(list(framed), axis=1)[:, :-GAP]


def _emotions(measured: Measured) -> list[str]:
    return [measured.classes[label] for label in np.unique(measured.column("label"))]
