"""FER2013 as csvs, whose rows hold their pixels as text."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from fer_perturb.data.csv_table import opened_csv, whole_rows
from fer_perturb.data.emotions import EMOTIONS, SPLITS, USAGES
from fer_perturb.data.ferplus.votes import has_votes
from fer_perturb.data.file_names import split_named
from fer_perturb.data.packed import RawSplit
from fer_perturb.data.readers.fer2013.rows import SIZE, Rows
from fer_perturb.data.readers.fer2013.source import FORMS, TAR_ERRORS, ZIP_ERRORS, Table
from fer_perturb.errors import UserError, say

if TYPE_CHECKING:
    from _csv import Reader

COLUMNS = ("emotion", "pixels", "Usage")
GREY = {str(value): value for value in range(256)}  # looking a number up is faster than int(), and stricter


def choose_tables(tables: list[Table], source: Path, container: str) -> tuple[dict[str | None, Table], tuple[str, ...]]:
    """Split -> its csv, or None -> the one csv whose rows tell their splits; and the columns in their order."""
    tables, headers = _readable(tables)
    _say_whose_votes(tables, headers)
    fitting = [(table, header) for table, header in zip(tables, headers, strict=True) if _fits(header)]
    named = [
        (split_named(table.path.name.partition(".")[0]), table)
        for table, header in zip(tables, headers, strict=True)
        if set(COLUMNS[:2]) <= set(header)
    ]
    by_split: dict[str | None, Table] = {split: table for split, table in named if split}
    if set(by_split) == set(SPLITS) and len(by_split) == sum(split is not None for split, _ in named):
        return by_split, COLUMNS[:2]
    if len(fitting) == 1:
        return {None: fitting[0][0]}, fitting[0][1]
    if len(fitting) > 1:
        names = "; ".join(table.where for table, _ in fitting)
        raise UserError(f"source={source} holds several csvs of FER2013 ({names}). Give one of them.")
    if any("pixels" in header and "Usage" not in header for header in headers):
        raise UserError(
            f"source={source} is a part of FER2013 ({', '.join(table.path.name for table in tables)}), as of Kaggle's "
            "challenge, whose test.csv has no labels. Expected icml_face_data.csv, which holds all, or "
            "train.csv, val.csv and test.csv in one folder, with the columns emotion and pixels."
        )
    if len(tables) != 1:
        raise UserError(f"source={source} holds no FER2013. Expected {FORMS}.")
    table, header = tables[0], headers[0]
    if header == ():
        raise UserError(f"{table.where} is empty. Expected {FORMS}.")
    if container == "csv" and not any(column in header for column in COLUMNS):
        raise UserError(f"{table.where} is no zip, and no csv with the columns {', '.join(COLUMNS)}. Expected {FORMS}.")
    missing = [column for column in COLUMNS if column not in header]
    raise UserError(
        f"{table.where} lacks the column {', '.join(missing)} (it has {', '.join(header)}). "
        f"Expected emotion, pixels and Usage."
    )


def _say_whose_votes(tables: list[Table], headers: list[tuple[str, ...]]) -> None:
    for table, header in zip(tables, headers, strict=True):
        if has_votes(header):
            if len(tables) == 1 and "pixels" not in header:
                raise UserError(
                    f"{table.where} holds FER+'s votes and no pictures. Expected FER2013 itself, and this beside it: "
                    f"python -m fer_perturb.prepare dataset=fer2013 source=PATH votes={table.path.name}"
                )
            say(
                f"{table.where} has votes of FER+, which are not read: those that come with the package are. To have "
                "yours read: votes=PATH of the csv"
            )


def _readable(tables: list[Table]) -> tuple[list[Table], list[tuple[str, ...]]]:
    """The csvs whose columns can be read, and these; UserError where none can."""
    read, refused = [], []
    for table in tables:
        try:
            read.append((table, _header(table)))
        except UserError as error:
            refused.append(error)
    if refused and not read:
        raise refused[0]
    return [table for table, _ in read], [header for _, header in read]


def _fits(header: tuple[str, ...]) -> bool:
    return all(column in header for column in COLUMNS)


def _header(table: Table) -> tuple[str, ...]:
    """The names of the columns without blanks around them; () for an empty file."""
    with _opened(table) as (names, _):
        return tuple(names)


def read_tables(tables: dict[str | None, Table], *, progress: Progress) -> dict[str, RawSplit]:
    rows = {split: Rows() for split in SPLITS}
    for split, table in tables.items():
        _read_table(table, split, rows, progress)
    return {split: row.done() for split, row in rows.items()}


def _read_table(table: Table, split: str | None, rows: dict[str, Rows], progress: Progress) -> None:
    """Adds the rows of a csv to those of `split`, or, where it is None, of the split that each row tells."""
    task = progress.add_task("Reading FER2013", total=table.size)
    with _opened(table) as (header, reader):
        label_at, pixels_at = (header.index(column) for column in COLUMNS[:2])
        usage_at = header.index(COLUMNS[2]) if split is None else None
        number = 0
        for number, (where, row) in enumerate(whole_rows(reader, len(header), table.where), start=1):
            name = f"row{number}" if split is None else f"{split}-row{number}"
            into = rows[_usage(row[usage_at], where) if usage_at is not None else str(split)]
            into.add(_pixels(row[pixels_at], where), _label(row[label_at], where), name)
            progress.advance(task, sum(map(len, row)) + len(row))
    progress.update(task, completed=table.size)
    if not number:
        raise UserError(f"{table.where} is empty: it has a header, but no row. Expected {FORMS}.")


@contextmanager
def _opened(table: Table) -> Iterator[tuple[list[str], "Reader"]]:
    """A csv's columns and rows; errors in reading it become UserErrors."""
    try:
        with table.open() as file, opened_csv(file) as (names, rows):
            yield names, rows
    except UserError:
        raise
    except UnicodeError as error:
        raise UserError(f"{table.where} is no zip and no text. Expected {FORMS}.") from error
    except csv.Error as error:
        raise UserError(f"{table.where} is no proper csv: {error}. Expected {FORMS}.") from error
    except (*ZIP_ERRORS, *TAR_ERRORS) as error:
        raise UserError(f"{table.where} cannot be read: {error}. Fetch it again.") from error


def _pixels(text: str, where: str) -> bytes:
    values = text.split()
    expected = SIZE[0] * SIZE[1]
    if len(values) != expected:
        raise UserError(f"{where} has {len(values)} pixels, expected {expected} (48x48).")
    try:
        return bytes(map(GREY.__getitem__, values))
    except KeyError as error:
        raise UserError(f"{where} has the pixel {error}, expected whole numbers from 0 to 255.") from error


def _label(text: str, where: str) -> int:
    label = re.sub(r"\.0+$", "", text.strip())  # a join in pandas makes 3.0 of 3
    if label not in GREY or GREY[label] >= len(EMOTIONS):
        expected = ", ".join(f"{index} {emotion}" for index, emotion in enumerate(EMOTIONS))
        raise UserError(
            f"{where} has the emotion {label!r}, expected one of {expected}. FER+'s eight classes come from its votes: "
            "dataset.labels=ferplus"
        )
    return GREY[label]


def _usage(text: str, where: str) -> str:
    usage = text.strip()
    if usage not in USAGES:
        raise UserError(f"{where} has the Usage {usage!r}, expected one of {', '.join(USAGES)}.")
    return USAGES[usage]
