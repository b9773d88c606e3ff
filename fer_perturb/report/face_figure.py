"""A picture with what is said of its faces: where they are, what the network saw and where it looked, and its votes."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from fer_perturb.prediction.face import Face
from fer_perturb.prediction.pictures import STDIN, grey_pixels
from fer_perturb.prediction.results import Results
from fer_perturb.report.figures import CLUSTER_COLOURS, save_figure

ROWS = 6  # faces of a picture that have a row of their own, the first ones


def draw_faces(results: Results, out: Path, *, at_most: int) -> list[Path]:
    """Draws the first pictures with faces into `out`, as <number>-<name>.png; the files."""
    files = []
    shown = [(picture, faces) for picture, faces in results.read.items() if faces][:at_most]
    for number, (picture, faces) in enumerate(shown, 1):
        name = "stdin" if picture == STDIN else Path(picture).stem[:100]
        file = out / f"{number:03}-{name}.png"
        # standard input is read once
        whole = None if picture == STDIN or faces[0].box is None else grey_pixels(picture)
        save_figure(face_figure(whole, faces), file)
        files.append(file)
    return files


def face_figure(picture: NDArray[np.uint8] | None, faces: list[Face]) -> Figure:
    """A row a face, of the first six: its image, attention, clusters, emotions, and what each view sees in it.

    picture: uint8 (H, W), drawn on the left with the faces' numbers, if it is given.
    """
    rows = faces[:ROWS]
    first = rows[0]
    panels = ["face", *(["attention"] if first.attention is not None else [])]
    panels += [*(["clusters"] if first.clusters is not None else []), "emotions"]
    panels += ["views"] if first.views else []
    widths = [{"emotions": 2.0, "views": 2.4}.get(panel, 1.3) for panel in panels]
    side = 3.2 if picture is not None else 0.0
    height = max(1.7 * len(rows) + 0.3, side)
    figure = Figure(figsize=(1.55 * sum(widths) + side, height), layout="constrained")
    of_faces: Any = figure
    if picture is not None:
        parts: Any = figure.subfigures(1, 2, width_ratios=[side, 1.55 * sum(widths)])
        of_picture, of_faces = parts
        _draw_picture(of_picture.subplots(), picture, faces)
    axes = of_faces.subplots(len(rows), len(panels), squeeze=False, width_ratios=widths)
    draw = {"face": _face, "attention": _attention, "clusters": _clusters, "emotions": _emotions, "views": _views}
    for number, (face, of_face) in enumerate(zip(rows, axes, strict=True), 1):
        for panel, axis in zip(panels, of_face, strict=True):
            draw[panel](axis, face)
            if number == 1:
                axis.set_title(panel, fontsize=9)
        of_face[0].set_ylabel(f"{number}: {face.emotion}", fontsize=9)
    return figure


def _draw_picture(axis: Any, picture: NDArray[np.uint8], faces: list[Face]) -> None:
    _bare(axis)
    axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
    for number, face in enumerate(faces, 1):
        if face.box:
            box = face.box
            axis.add_patch(Rectangle((box.left, box.top), box.width, box.height, fill=False, color="#ee6677", lw=2))
            shown = {"facecolor": "#ee6677", "edgecolor": "none", "pad": 1}
            axis.text(box.left, box.top, str(number), fontsize=8, color="white", va="bottom", bbox=shown)


def _face(axis: Any, face: Face) -> None:
    _bare(axis)
    axis.imshow(face.image, cmap="gray", vmin=0, vmax=1)


def _attention(axis: Any, face: Face) -> None:
    _bare(axis)
    assert face.attention is not None
    axis.imshow(face.attention, cmap="viridis")


def _clusters(axis: Any, face: Face) -> None:
    assert face.clusters is not None
    _face(axis, face)
    n = len(face.views) - 1
    colours = ListedColormap([CLUSTER_COLOURS[k % len(CLUSTER_COLOURS)] for k in range(n)])
    hidden = np.ma.masked_less(face.clusters, 0)
    axis.imshow(hidden, cmap=colours, vmin=-0.5, vmax=n - 0.5, alpha=0.55, interpolation="nearest")


def _emotions(axis: Any, face: Face) -> None:
    names, shares = list(face.probabilities), list(face.probabilities.values())
    colours = ["#4477aa" if name == face.emotion else "#bbbbbb" for name in names]
    axis.barh(range(len(names)), shares, color=colours)
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.set_xticks([0, 0.5, 1], ["0", "50", "100 %"], fontsize=7)
    axis.set_xlim(0, 1)
    axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)


def _views(axis: Any, face: Face) -> None:
    """A column a view, a line an emotion: the darker, the likelier; each view's vote is marked."""
    shares = np.array([list(of.values()) for of in face.views]).T
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for view, vote in enumerate(shares.argmax(axis=0)):
        dark = shares[vote, view] > 0.5
        axis.text(view, vote, "x", ha="center", va="center", fontsize=8, color="white" if dark else "black")
    n = len(face.views) - 1
    axis.set_xticks(range(n + 1), [*(f"no {k + 1}" for k in range(n)), "all"], fontsize=7)
    axis.set_yticks(range(len(face.probabilities)), list(face.probabilities), fontsize=7)


def _bare(axis: Any) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
