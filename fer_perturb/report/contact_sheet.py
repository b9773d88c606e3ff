"""Many faces at a glance: landmarks, and what they lead to."""

import numpy as np
import torch
from matplotlib.figure import Figure

from fer_perturb.data.landmarks.mask_drawing import draw_mask
from fer_perturb.data.packed import PackedData
from fer_perturb.errors import UserError

COLUMNS = 8


def contact_sheet(data: PackedData, split: str, count: int, seed: int) -> Figure:
    """`count` faces of a split, by class: each picture with its landmarks, and beside it with its mask, or occluded.

    As many of each class as there can be; which ones is drawn by `seed`. Raises UserError where there are no landmarks,
    no such split or nothing to draw.
    """
    if split not in data.splits:
        raise UserError(f"split={split}: expected one of {', '.join(data.splits)}.")
    if count < 1:
        raise UserError(f"count={count}: expected at least one face.")
    data.require_landmarks("The contact sheet")
    of, random = data.splits[split], np.random.default_rng(seed)
    assert of.landmarks is not None
    share = -(-count // len(data.classes))
    each = [random.permutation(np.flatnonzero(of.labels == label))[:share] for label in range(len(data.classes))]
    rows = np.sort(random.permutation(np.concatenate(each))[:count])
    rows = rows[np.argsort(of.labels[rows], kind="stable")]
    identities = of.identities()
    lines = -(-len(rows) // COLUMNS)
    figure = Figure(figsize=(2.4 * COLUMNS, 1.4 * lines), layout="constrained")
    axes = list(figure.subplots(lines, COLUMNS, squeeze=False).flat)
    for axis in axes:
        axis.axis("off")
    for axis, row in zip(axes, rows, strict=False):
        image, points = of.images[row], np.asarray(of.landmarks[row], dtype=np.float64)
        if of.occluder is None:
            hidden = draw_mask(image, points, identities[row])
        else:
            hidden = of.occluder(torch.tensor(image)[None, None], torch.tensor(points)[None])[0, 0].numpy()
        pair = np.concatenate([image, hidden], axis=1)
        axis.imshow(pair, cmap="gray", vmin=0, vmax=255)
        colour = "lime" if data.placed(split)[row] else "red"
        inside = ((points > -0.5) & (points < np.array(image.shape[::-1]) - 0.5)).all(axis=1)
        axis.plot(*points[inside].T, ".", color=colour, markersize=2)
        axis.set_title(data.classes[of.labels[row]], fontsize=7, pad=2)
    return figure
