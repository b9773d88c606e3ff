"""A table as CSV: plain numbers, not rounded, under headings with their unit."""

import csv
import io
from collections.abc import Callable

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
    headings, parts = list[str](), list[Callable[[tuple[Cell, ...]], float | str | None]]()
    for place, column in enumerate(table.columns):
        heading = unmarked(column.named)
        headings.append(heading)
        parts.append(lambda row, at=place: row[at].value)  # type: ignore[misc]
        for name, of in BESIDE.items():
            if any(of(row[place]) is not None for row in table.rows):
                headings.append(f"{heading}, {name}")
                parts.append(lambda row, at=place, of=of: of(row[at]))  # type: ignore[misc]
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(headings)
    lines.writerows([_plain(part(row)) for part in parts] for row in table.rows)
    return written.getvalue()


def _plain(value: float | str | None) -> str:
    if value is None:
        return ""
    return unmarked(value) if isinstance(value, str) else repr(value)
