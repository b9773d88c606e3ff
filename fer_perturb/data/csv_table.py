"""A csv as people have it: zipped by gzip or not, UTF-8 or UTF-16, with commas, semicolons or tabs."""

import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

from fer_perturb.errors import UserError

if TYPE_CHECKING:
    from _csv import Reader

FIRST_LINE = 10_000  # characters at most; a file that is no csv may have no line break for megabytes
DELIMITERS = ",;\t"


@contextmanager
def opened_csv(file: IO[bytes]) -> Iterator[tuple[list[str], "Reader"]]:
    """The names of a csv's columns, without the blanks around them, and its rows, read as they are asked for.

    No names for an empty file. Raises UnicodeDecodeError for what is no text, csv.Error, OSError and EOFError.
    """
    if not hasattr(file, "peek"):
        file = io.BufferedReader(cast(Any, file))
    if file.peek(2)[:2] == b"\x1f\x8b":
        file = io.BufferedReader(cast(Any, gzip.GzipFile(fileobj=file)))
    encoding = "utf-16" if file.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    with io.TextIOWrapper(file, encoding=encoding, newline="") as text:
        first = text.readline(FIRST_LINE)
        delimiter = max(DELIMITERS, key=first.count)
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
        yield names, csv.reader(text, delimiter=delimiter)


def whole_rows(rows: "Reader", columns: int, source: object) -> Iterator[tuple[str, list[str]]]:
    """The rows that `opened_csv` yields, without empty lines, each after where it stands, for what is told of it.

    Raises UserError for one that has not as many columns as that.
    """
    number = 0
    for row in rows:
        if row:
            number += 1
            where = f"Row {number} (line {rows.line_num + 1}) of {source}"
            if len(row) != columns:
                raise UserError(f"{where} has {len(row)} columns, expected {columns}.")
            yield where, row
