"""What a table is, whatever it is rendered as: columns, rows of cells, a title and a note.

In all of its words `…` marks code, as in Markdown.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

NOTHING = "-"  # shown where there is no value
NOT_RUN = "not run"  # and where a command would make one


@dataclass(frozen=True)
class Column:
    """unit: of its numbers, shown beside the heading, or with `each` in every cell."""

    heading: str
    unit: str = ""
    align: Literal["left", "right"] = "right"
    each: bool = False

    @property
    def title(self) -> str:
        """The heading as it is shown."""
        return self.heading if self.each else self.named

    @property
    def named(self) -> str:
        """The heading with the unit."""
        return ", ".join(part for part in (self.heading, self.unit) if part)


@dataclass(frozen=True)
class Cell:
    """A value, and how it is shown: made by `number`, `words` or `missing`.

    value: a number in its column's unit, words, or None where there is none. spec: the number's format, as ".1f".
    low, high: an interval. spread: a standard deviation. also: words after a number. command: would make the value.
    """

    value: float | str | None = None
    spec: str = ""
    low: float | None = None
    high: float | None = None
    spread: float | None = None
    also: str = ""
    command: str = ""

    def text(self, unit: str = "") -> str:
        """As it is shown: 75.0 ± 7.1, +3 % [-1, +7]."""
        if self.value is None:
            return NOT_RUN if self.command else NOTHING
        if isinstance(self.value, str):
            return self.value
        shown = format(self.value, self.spec) + (f" ± {self.spread:{self.spec}}" if self.spread is not None else "")
        shown += f" {unit}" if unit else ""
        if self.low is not None and self.high is not None:
            shown += f" [{self.low:{self.spec}}, {self.high:{self.spec}}]"
        return f"{shown} {self.also}" if self.also else shown


def number(
    value: float | None,
    spec: str = ".1f",
    *,
    interval: tuple[float, float] | None = None,
    spread: float | None = None,
    also: str = "",
) -> Cell:
    """A number in its column's unit. None and NaN are no value; an interval or a spread that is NaN is left out."""
    if value is None or math.isnan(value):
        return Cell()
    low, high = interval if interval and not any(map(math.isnan, interval)) else (None, None)
    known = None if spread is None or math.isnan(spread) else spread
    return Cell(value if isinstance(value, int) else float(value), spec, low, high, known, also)


def words(text: str) -> Cell:
    """Words; none at all are an empty cell."""
    return Cell(text)


def missing(command: str) -> Cell:
    """What nobody has run yet, and the command that does."""
    return Cell(command=command)


@dataclass(frozen=True)
class Table:
    """title: what is shown, in words. note: sentences to read with it. Raises ValueError where a row has other cells
    than there are columns."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: a row of {len(row)} cells under {len(self.columns)} headings.")

    @classmethod
    def of(cls, title: str, columns: Iterable[Column], rows: Iterable[Iterable[Cell]], note: str = "") -> "Table":
        """The same from any iterables."""
        return cls(title, tuple(columns), tuple(tuple(row) for row in rows), note)

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that would make missing cells, each once."""
        return tuple(dict.fromkeys(cell.command for row in self.rows for cell in row if cell.command))

    def text(self, cell: Cell, column: Column) -> str:
        """A cell as it is shown; one that is missing with the number of its command, where there are several."""
        shown = cell.text(column.unit if column.each else "")
        numbered = cell.command and len(self.commands) > 1
        return f"{shown} ({self.commands.index(cell.command) + 1})" if numbered else shown

    @property
    def texts(self) -> list[list[str]]:
        """All cells as they are shown."""
        return [[self.text(cell, column) for cell, column in zip(row, self.columns, strict=True)] for row in self.rows]

    @property
    def notes(self) -> list[str]:
        """The note, and what would make the missing cells, a paragraph each."""
        each = [
            f"{NOT_RUN}{f' ({number})' if len(self.commands) > 1 else ''}: `{command}`"
            for number, command in enumerate(self.commands, 1)
        ]
        return [*([self.note] if self.note else []), *each]
