"""What the clusters are: on a face (the paper's Figure 4), and how they change over the epochs."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fer_perturb.data.drawn_faces.drawing import draw_faces
from fer_perturb.paper.values import reported
from fer_perturb.perturb.views import all_views
from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.figures import NAN, Line, line_figure
from fer_perturb.report.exhibits.judging import by, scheme_words, seed_numbers, whole_faces
from fer_perturb.report.figures import scheme_figure
from fer_perturb.report.settings import Run, as_in_the_paper
from fer_perturb.tables.table import Cell, Column, Table, number, words

MAP = "region_state.cluster_map"  # of the tested network's weights: (H, W) int8, -1 = never hidden
ROWS = 6  # runs that are drawn
FACE = 3  # the seed of a drawn face
SMALLEST = 24  # pixels that a face can be drawn in


def figure4(runs: Sequence[Run]) -> Exhibit | None:
    """The clusters that tested networks hide, on a drawn face: no picture of a person is shown."""
    n = int(reported("figure4").printed["clusters"]["all"] or 0)
    found_of = [(of[0], found) for of in _perturbed(runs) if (found := _map(of[0][0], n)) is not None]
    as_printed = [(run, found) for run, found in found_of if as_in_the_paper(run[1]["chosen"])]
    if not found_of:
        return None
    shown = as_printed or found_of
    shown = [(run, found) for run, found in shown if found.shape == shown[0][1].shape][:ROWS]
    rows = [[number(row, "d"), *cells] for row, (run, found) in enumerate(shown, 1) for cells in _rows(run, found)]
    columns = [Column("row"), *(Column(name, align="left") for name in ("network", "data", "scheme", "seed"))]
    columns += [Column("cluster"), Column("area", "%"), Column("middle, across", "%"), Column("middle, down", "%")]
    note = f"{reported('figure4').source}, of {n} clusters: {reported('figure4').says}."
    table = Table.of("Where the clusters of the tested networks lie", columns, rows, note)
    attentions = [_attention(run[0], found.shape) for run, found in shown]
    return Exhibit("A face after clustering", [table], _faces([found for _, found in shown], attentions, n))


def _perturbed(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Perturb's runs, by network, data and setting."""
    for of_model in by(whole_faces(runs), "model").values():
        for of_data in by(of_model, "dataset").values():
            yield from (of for of in by(of_data, "scheme").values() if of[0][1]["kind"] == "perturb")


def _map(run: Path, n: int) -> NDArray[np.int8] | None:
    """The one map of all images that the tested network hides, if it has one, square, of n clusters."""
    try:
        with safe_open(run / "predictor" / "weights.safetensors", framework="np") as weights:
            found: NDArray[np.int8] = weights.get_tensor(MAP)
    except (OSError, SafetensorError):  # the latter also where it has none
        return None
    square = found.ndim == 2 and found.shape[0] == found.shape[1] >= SMALLEST
    return found if square and found.max() == n - 1 else None


def _attention(run: Path, shape: tuple[int, ...]) -> Tensor | None:
    """What was clustered before the first epoch, on a scale of its own."""
    try:
        found = np.load(run / "clustering" / "attention.npy", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return torch.from_numpy(found.astype(np.float32)) if found.shape == shape else None


def _rows(run: Run, found: NDArray[np.int8]) -> Iterator[list[Cell]]:
    """A row a cluster: how much of the image it covers, and where its middle lies."""
    summary = run[1]
    height, width = found.shape
    for label in range(int(found.max()) + 1):
        y, x = np.nonzero(found == label)
        left = [words(summary["model"]), words(summary["dataset"]), scheme_words([run]), number(summary["seed"], "d")]
        middle = [100 * (x.mean() + 0.5) / width, 100 * (y.mean() + 0.5) / height] if len(x) else [NAN, NAN]
        yield [*left, number(label + 1, "d"), number(100 * len(x) / found.size), *(number(at, ".0f") for at in middle)]


def _faces(maps: Sequence[NDArray[np.int8]], attentions: Sequence[Tensor | None], n: int) -> Figure:
    labels = torch.from_numpy(np.stack(maps).astype(np.int64))
    names = [str(row + 1) for row in range(len(maps))]
    size = labels.shape[-1]
    face = torch.from_numpy(draw_faces(1, FACE, size=size, strength=(1.0, 1.0)).images).float() / 255
    images = face.expand(len(labels), size, size)
    known = [attention for attention in attentions if attention is not None]
    looked = torch.stack(known) if len(known) == len(maps) else None
    return scheme_figure(images, looked, labels, all_views(images[:, None], labels, n, fill=0.0)[:, :, 0], names)


def cluster_epochs(runs: Sequence[Run]) -> Exhibit | None:
    """How far the clusters are those of position alone, and how many pixels change theirs, epoch by epoch."""
    rows, lines = list[list[Cell]](), list[Line]()
    several = len({run[1]["model"] for run in runs}) > 1
    for of in (same for model in by(whole_faces(runs), "model").values() for same in by(model, "scheme").values()):
        histories = [history for run, _ in of if len(history := _history(run)) > 1]
        if not histories:
            continue
        model, scheme = of[0][1]["model"], of[0][1]["scheme"]
        cells = [words(model), words(of[0][1]["dataset"]), scheme_words(of), words(seed_numbers(of))]
        cells.append(number(mean(len(history) for history in histories), ".0f"))
        for key, value in (("ari_position_only", "first"), ("ari_position_only", "last"), ("changed", "mean")):
            cells.append(_over(histories, key, value))
        areas = [entry["areas"] for history in histories for entry in history if entry.get("areas")]
        cells += [number(100 * mean(least(of_epoch) for of_epoch in areas) if areas else None) for least in (min, max)]
        rows.append(cells)
        name = f"{scheme}, {model}" if several else scheme
        if points := _curve(histories):
            lines.append(Line(name, points, colour=len(lines), dashes=len(lines) // 10))
    if not rows:
        return None
    columns = [Column(name, align="left") for name in ("network", "data", "scheme", "seeds")]
    columns += [Column("clusterings"), Column("agreement, first"), Column("agreement, last"), Column("changed", "%")]
    columns += [Column("smallest", "%"), Column("largest", "%")]
    note = (
        "`agreement`: adjusted Rand index with the clusters of position alone, 1 = the same. `changed`: the share of "
        "pixels that change their cluster from one epoch to the next. `smallest`, `largest`: of a map's areas. All are "
        "means over the seeds."
    )
    label = "agreement with position alone (adjusted Rand index)"
    figure = line_figure(lines, "epoch", label) if lines else None
    return Exhibit("The clusters over the epochs", [Table.of("Clusters over the epochs", columns, rows, note)], figure)


def _history(run: Path) -> list[dict[str, Any]]:
    """What the predictor's phase recorded of each clustering."""
    try:
        found: list[dict[str, Any]] = json.loads((run / "predictor" / "phase.json").read_bytes()).get("clusters") or []
    except (OSError, ValueError, AttributeError):
        return []
    return found


def _over(histories: Sequence[list[dict[str, Any]]], key: str, which: str) -> Cell:
    """Of the first or last clustering, or the mean over those after the first; a share of pixels in per cent."""
    places = {"first": slice(0, 1), "last": slice(-1, None), "mean": slice(1, None)}
    values = [entry[key] for history in histories for entry in history[places[which]] if key in entry]
    if not values:
        return number(None)
    return number(100 * mean(values)) if key == "changed" else number(mean(values), ".2f")


def _curve(histories: Sequence[list[dict[str, Any]]]) -> list[tuple[float, tuple[float, float, float]]]:
    """Each epoch with the mean agreement over seeds, and the least and most of them."""
    at: dict[float, list[float]] = {}
    for history in histories:
        for entry in history:
            if "ari_position_only" in entry:
                at.setdefault(entry["epoch"], []).append(entry["ari_position_only"])
    return [(epoch, (mean(values), min(values), max(values))) for epoch, values in sorted(at.items())]
