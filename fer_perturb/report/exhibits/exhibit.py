"""What answers one question: tables, and a figure where it helps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from fer_perturb.report.settings import Run
from fer_perturb.tables.table import Table


@dataclass(frozen=True)
class Exhibit:
    """title: the question, or the answer, in words."""

    title: str
    tables: Sequence[Table]
    figure: Figure | None = None


Tabled = Callable[[Sequence[Run]], Exhibit | None]
"""Runs that may stand in one table -> what they show; None where they do not make it."""
