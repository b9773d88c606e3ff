"""Figures that several exhibits draw: fields of changes, means with their intervals, and lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fer_perturb.analysis.accuracy_change import Change

Block = Mapping[str, Sequence[Change]]  # row -> a change for each column
BLUE, RED, GREY = "#4477aa", "#ee6677", "0.55"
NAN = float("nan")
SHARES = (0.0, 100.0)  # in per cent, what they can be


def change_figure(blocks: Mapping[str, Block], columns: Sequence[str]) -> Figure:
    """How accuracies change: a field of numbers for each title of `blocks`, one above the other.

    Red where it falls and blue where it rises; the number in grey where the interval holds 0.
    """
    heights = [len(block) + 1.2 for block in blocks.values()]
    longest = max(len(row) for block in blocks.values() for row in block)
    figure = Figure(
        figsize=(1.4 + 0.06 * longest + 0.75 * len(columns), 0.38 * sum(heights) + 0.6), layout="constrained"
    )
    axes = figure.subplots(len(blocks), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (title, block) in zip(axes, blocks.items(), strict=True):
        relative = np.array([[change.relative for change in row] for row in block.values()], dtype=np.float64)
        picture = axis.imshow(100 * relative, cmap="RdBu", vmin=-100, vmax=100, aspect="auto")
        for line, row in enumerate(block.values()):
            for column, change in enumerate(row):
                if np.isnan(change.relative):
                    continue
                clear = not change.low <= 0 <= change.high
                colour = "white" if abs(change.relative) > 0.6 else "black" if clear else GREY
                number = f"{100 * change.relative:+.0f}"
                axis.text(column, line, number, ha="center", va="center", color=colour, fontsize=9)
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_yticks(range(len(block)), list(block), fontsize=9)
        axis.set_xticks(range(len(columns)), list(columns), fontsize=9)
        axis.tick_params(length=0)
    axes[-1].set_xlabel("change of the accuracy, %; in grey where its 95 % interval holds 0", fontsize=9)
    figure.colorbar(picture, ax=axes, shrink=0.8)
    return figure


@dataclass(frozen=True)
class Bar:
    """A number with its interval (NaN where it has none), and what the paper reports (NaN where nothing)."""

    name: str
    mean: float
    low: float = NAN
    high: float = NAN
    paper: float = NAN


def interval_figure(bars: Sequence[Bar], label: str) -> Figure:
    """A line a bar: a dot, its interval, a cross where the paper's number is; the middle line is no difference."""
    longest = max(len(bar.name) for bar in bars)
    figure = Figure(figsize=(4.5 + 0.07 * longest, 1.1 + 0.32 * len(bars)), layout="constrained")
    axis = figure.subplots()
    for line, bar in enumerate(bars):
        clear = not bar.low <= 0 <= bar.high and bar.low == bar.low
        axis.plot([bar.low, bar.high], [line, line], color=BLUE, linewidth=2, solid_capstyle="butt")
        axis.plot(bar.mean, line, "o", color=BLUE, markerfacecolor=BLUE if clear else "white")
        axis.plot(bar.paper, line, "x", color=RED, markeredgewidth=2)
    axis.axvline(0, color=GREY, linewidth=1)
    axis.set_yticks(range(len(bars)), [bar.name for bar in bars], fontsize=9)
    axis.set_ylim(len(bars) - 0.5, -0.5)
    axis.set_xlabel(label, fontsize=9)
    axis.grid(axis="x", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


@dataclass(frozen=True)
class Line:
    """x, and y with the ends of its interval (NaN where it has none). joined: by a line, in this order."""

    name: str
    points: Sequence[tuple[float, tuple[float, float, float]]]
    colour: int = 0
    dashes: int = 0
    joined: bool = True


def line_figure(lines: Sequence[Line], x: str, y: str, *, within: tuple[float, float] = (-np.inf, np.inf)) -> Figure:
    """The lines over each other, their intervals as bars, as far as these lie `within` what can be."""
    named = len(lines) if len(lines) > 1 else 0
    figure = Figure(figsize=(7, 4.2 + 0.18 * named), layout="constrained")
    axis: Any = figure.subplots()
    for line in lines:
        at = [place for place, _ in line.points]
        value, low, high = np.array([of for _, of in line.points]).T
        reach = np.array([value - low.clip(*within), high.clip(*within) - value])
        dashes = ("-", "--", ":", "-.")[line.dashes % 4] if line.joined else "none"
        style = {"color": f"C{line.colour % 10}", "linestyle": dashes, "capsize": 3}
        axis.errorbar(at, value, reach, marker="o", markersize=4, label=line.name, **style)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    if all(float(place).is_integer() for line in lines for place, _ in line.points):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    if named:
        figure.legend(loc="outside lower left", fontsize=8, frameon=False)
    return figure
