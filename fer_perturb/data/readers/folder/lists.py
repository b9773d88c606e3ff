"""Pictures that a csv lists, with their labels."""

import csv
import re
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from fer_perturb.data.csv_table import opened_csv, whole_rows
from fer_perturb.data.file_names import SPLIT_NAMES, composed, split_named
from fer_perturb.data.readers.folder.found import COLUMNS, Found, Picture, entries, folders_in, writable_name
from fer_perturb.errors import UserError

NO_CSV = (UnicodeError, csv.Error, OSError, EOFError, zlib.error)  # what reading another file as one ends in


def picture_lists(source: Path) -> list[Path]:
    """The csvs in a folder that list pictures; where there is no folder beside them, all csvs are taken for such."""
    csvs = [path for path in entries(source, Found()) if re.search(r"\.csv(\.gz)?$", path.name, re.IGNORECASE)]
    if not folders_in(source):
        return csvs
    lists = [path for path in csvs if _lists_pictures(path)]
    if lists:
        print(f"The pictures are those that {', '.join(path.name for path in lists)} in {source} lists.")
    return lists


def _lists_pictures(path: Path) -> bool:
    try:
        with path.open("rb") as file, opened_csv(file) as (names, _):
            return set(COLUMNS[:2]) <= {name.lower() for name in names}
    except NO_CSV:
        return False


def in_lists(lists: Sequence[Path]) -> Found:
    """The pictures that csvs list, in their order; a csv without a column of splits may be named after one."""
    found = Found()
    for path in lists:
        _in_list(path, found)
    if not found.pictures:
        raise UserError(f"{lists[0]} lists no pictures. Expected a row for each.")
    return found


def _in_list(source: Path, found: Found) -> None:
    expected = (
        f"Expected a csv with the columns {COLUMNS[0]} and {COLUMNS[1]}, and perhaps {COLUMNS[2]} and {COLUMNS[3]}."
    )
    try:
        with source.open("rb") as file, opened_csv(file) as (names, rows):
            place = {name.lower(): number for number, name in enumerate(names)}
            missing = [name for name in COLUMNS[:2] if name not in place]
            if missing:
                raise UserError(
                    f"{source} lacks the column {', '.join(missing)} (it has {', '.join(names)}). {expected}"
                )
            for where, row in whole_rows(rows, len(names), source):
                values = {name: row[at].strip() for name, at in place.items()}
                split = split_named(values["split"] if "split" in values else source.name.partition(".")[0])
                if values.get("split") and split is None:
                    known = ", ".join(name for names in SPLIT_NAMES.values() for name in names)
                    raise UserError(f"{where} has the split {values['split']!r}. Expected one of {known}.")
                if not values["path"] or not values["label"]:
                    raise UserError(f"{where} has no path or no label. Expected both.")
                path = writable_name(source.parent / values["path"])
                found.pictures.append(Picture(path, composed(values["label"]), split, values.get("group") or None))
    except NO_CSV as error:
        unpack = " Unpack it first." if zipfile.is_zipfile(source) or tarfile.is_tarfile(source) else ""
        raise UserError(f"{source} cannot be read as a csv: {error}. {expected}{unpack}") from error
