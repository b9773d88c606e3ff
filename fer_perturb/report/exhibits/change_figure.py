"""How accuracies change, at a glance: a field a number, red where it falls and blue where it rises."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from fer_perturb.analysis.accuracy_change import Change

Block = Mapping[str, Sequence[Change]]  # row -> a change for each column


def change_figure(blocks: Mapping[str, Block], columns: Sequence[str]) -> Figure:
    """A field of numbers for each title of `blocks`, one above the other; in grey where the interval holds 0."""
    heights = [len(block) + 1.2 for block in blocks.values()]
    figure = Figure(figsize=(2.2 + 0.75 * len(columns), 0.38 * sum(heights) + 0.6), layout="constrained")
    axes = figure.subplots(len(blocks), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (title, block) in zip(axes, blocks.items(), strict=True):
        relative = np.array([[change.relative for change in row] for row in block.values()], dtype=np.float64)
        picture = axis.imshow(100 * relative, cmap="RdBu", vmin=-100, vmax=100, aspect="auto")
        for line, row in enumerate(block.values()):
            for column, change in enumerate(row):
                if np.isnan(change.relative):
                    continue
                clear = not change.low <= 0 <= change.high
                colour = "white" if abs(change.relative) > 0.6 else "black" if clear else "0.55"
                number = f"{100 * change.relative:+.0f}"
                axis.text(column, line, number, ha="center", va="center", color=colour, fontsize=9)
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_yticks(range(len(block)), list(block), fontsize=9)
        axis.set_xticks(range(len(columns)), list(columns), fontsize=9)
        axis.tick_params(length=0)
    axes[-1].set_xlabel("change of the accuracy, %; in grey where its 95 % interval holds 0", fontsize=9)
    figure.colorbar(picture, ax=axes, shrink=0.8)
    return figure
