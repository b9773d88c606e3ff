"""A table as CSV: plain numbers, not rounded, under headings with their unit."""

import csv
import io
from collections.abc import Callable, Sequence

from fer_perturb.tables.marks import unmarked
from fer_perturb.tables.table import Cell, Table

BESIDE: dict[str, Callable[[Cell], float | None]] = {
    "low": lambda cell: cell.low,
    "high": lambda cell: cell.high,
    "sd": lambda cell: cell.spread,
}


def as_csv(table: Table) -> str:
    """A line a row. Where a column has intervals or standard deviations, columns of their own follow it. What is not
    there is empty."""
    headings: list[str] = []
    columns: list[Sequence[float | str | None]] = []
    for place, column in enumerate(table.columns):
        heading, cells = unmarked(column.named), [row[place] for row in table.rows]
        headings.append(heading)
        columns.append([cell.value for cell in cells])
        for name, of in BESIDE.items():
            beside = [of(cell) for cell in cells]
            if any(value is not None for value in beside):
                headings.append(f"{heading}, {name}")
                columns.append(beside)
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(headings)
    lines.writerows(map(_plain, row) for row in zip(*columns, strict=True))
    return written.getvalue()


def _plain(value: float | str | None) -> str:
    if value is None:
        return ""
    return unmarked(value) if isinstance(value, str) else repr(value)
