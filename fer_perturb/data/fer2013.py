"""FER2013 in each form in which people have it.

- a zip of pictures, as Kaggle serves it: `train/<emotion>/Training_<digits>.jpg`,
  `test/<emotion>/{PublicTest,PrivateTest}_<digits>.jpg` (or .png);
- that folder, unpacked;
- `fer2013.csv`, with the columns emotion, pixels, Usage;
- `icml_face_data.csv`, with the columns `emotion`, ` Usage`, ` pixels`, leading blanks and all;
- `train.csv`, `val.csv` and `test.csv`, with the columns emotion and pixels;
- any of these inside a folder, a zip or a tar, each csv zipped by gzip or not, in UTF-8 or UTF-16, with any delimiter.

The form is told by looking inside, never by the name. The prefix of a picture's name gives its split, its parent
folder its emotion; rows of a csv are named row<number>, counted from 1 without the header.
"""

import csv
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image
from rich.progress import Progress

from fer_perturb.data.csv_table import opened_csv, whole_rows
from fer_perturb.data.decode import decode_grey, read_bytes, resized
from fer_perturb.data.emotions import EMOTIONS, SPLITS, USAGES
from fer_perturb.data.ferplus import has_votes
from fer_perturb.data.file_names import LITTER, is_litter, split_named
from fer_perturb.data.packed import RawSplit
from fer_perturb.errors import UserError, say, warn

if TYPE_CHECKING:
    from _csv import Reader

SIZE = (48, 48)
OFFICIAL = {"train": 28_709, "val": 3_589, "test": 3_589}
PICTURE = re.compile(r"(Training|PublicTest|PrivateTest)_[0-9]+")  # and an ending that Pillow reads
CSV = re.compile(r".*\.csv(\.gz)?", re.IGNORECASE)
COLUMNS = ("emotion", "pixels", "Usage")
GREY = {str(value): value for value in range(256)}  # looking a number up is faster than int(), and stricter
FORMS = (
    "a zip or folder of pictures (train/<emotion>/Training_<digits>.jpg and so on), or a csv with the columns "
    "emotion, pixels and Usage"
)
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
)
TAR_ERRORS = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError)


@dataclass(frozen=True)
class Fer2013:
    """What a source held: the splits, its form in words, and how many files were left out, by reason."""

    splits: dict[str, RawSplit]
    form: str
    left_out: dict[str, int]


@dataclass
class _Rows:
    """One split in the making; pixels grow in place, so that no image is held twice."""

    pixels: bytearray = field(default_factory=bytearray)
    labels: bytearray = field(default_factory=bytearray)
    names: list[str] = field(default_factory=list)

    def add(self, pixels: bytes, label: int, name: str) -> None:
        self.pixels += pixels
        self.labels.append(label)
        self.names.append(name)

    def done(self) -> RawSplit:
        images = np.frombuffer(self.pixels, dtype=np.uint8).reshape(-1, *SIZE)
        return RawSplit(images=images, labels=np.frombuffer(self.labels, dtype=np.uint8), names=self.names)


@dataclass(frozen=True)
class _Picture:
    """A picture's place: `path` inside the source, and how to get its bytes."""

    path: PurePosixPath
    where: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class _Table:
    """A csv: `path` inside the source, `size` in bytes, and how to open it."""

    path: PurePosixPath
    where: str
    size: int
    open: Callable[[], IO[bytes]]


def read_fer2013(source: Path, *, resize: bool, progress: Progress) -> Fer2013:
    """Reads FER2013 from `source`, 48x48 images whatever the form; `progress` shows a bar.

    With `resize` pictures of another size are brought to 48x48. Raises UserError naming file, member or row.
    """
    if not source.exists():
        raise UserError(f"There is nothing at source={source}. Expected {FORMS}.")
    with _source(source) as (pictures, tables, container):
        left_out = {}
        own = [picture for picture in pictures if not is_litter(picture.path)]
        tables = [table for table in tables if not is_litter(table.path)]
        if len(pictures) > len(own):
            left_out[LITTER] = len(pictures) - len(own)
        chosen = [picture for picture in own if _is_picture(picture.path)]
        if chosen:
            splits = _read_pictures(chosen, resize=resize, progress=progress)
            if len(own) > len(chosen):
                left_out["name is not <prefix>_<digits>.jpg, .png or the like"] = len(own) - len(chosen)
            form = f"{container} of pictures"
        else:
            by_split, columns = _choose(tables, source, container)
            splits = _read_tables(by_split, progress=progress)
            kind = "fer2013.csv" if columns == COLUMNS else "icml_face_data.csv"
            kind = "train.csv, val.csv and test.csv" if None not in by_split else kind
            form = kind if container == "csv" else f"{kind} in a {container}"
    for usage, split in USAGES.items():
        if not len(splits[split]):
            found = ", ".join(f"{name}: {len(splits[key])}" for name, key in USAGES.items())
            raise UserError(
                f"{source} has no {usage} images, so the {split} split is missing (found {found}). Expected all three, "
                "in one source."
            )
    _say_what_is_missing(source, splits)
    return Fer2013(splits=splits, form=form, left_out=left_out)


def _say_what_is_missing(source: Path, splits: dict[str, RawSplit]) -> None:
    found = {split: len(raw) for split, raw in splits.items()}
    if found != OFFICIAL:
        both = ", ".join(f"{found[split]:,} of {count:,} in {split}" for split, count in OFFICIAL.items())
        warn(f"{source} is not the whole of FER2013: it has {both}. Results do not compare with those of others.")
    there = set(splits["train"].labels.tolist())
    if missing := [emotion for label, emotion in enumerate(EMOTIONS) if label not in there]:
        warn(f"{source} has no training picture of {', '.join(missing)}.")


# ---------------------------------------------------------------------------------------------- containers


@contextmanager
def _source(source: Path) -> Iterator[tuple[list[_Picture], list[_Table], str]]:
    """Gives the files of `source` (as pictures), its csvs, and the word for what it is."""
    if source.is_dir():
        pictures, tables = _in_folder(source)
        yield pictures, tables, "folder"
    elif not source.is_file():
        raise UserError(f"source={source} is neither a file nor a folder. Expected {FORMS}.")
    elif _looks_like_zip(source):
        with _open_zip(source) as archive:
            pictures, tables = _in_zip(source, archive)
            yield pictures, tables, "zip"
    elif _looks_like_tar(source):
        with _open_tar(source) as tar:
            yield [], _in_tar(source, tar), "tar"
    else:
        yield (
            [],
            [_Table(PurePosixPath(source.name), str(source), source.stat().st_size, partial(_open_file, source))],
            "csv",
        )


def _in_folder(source: Path) -> tuple[list[_Picture], list[_Table]]:
    pictures, tables, walked = [], [], set()
    for folder, folders, names in os.walk(source, onerror=_refuse, followlinks=True):
        if (real := os.path.realpath(folder)) in walked:
            raise UserError(f"{folder} is a link to {real}, which stands in {source} already. Remove the link.")
        walked.add(real)
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            inside = PurePosixPath(path.relative_to(source).as_posix())
            pictures.append(_Picture(inside, str(path), partial(read_bytes, path)))
            if CSV.fullmatch(path.name) and path.exists():
                tables.append(_Table(inside, str(path), path.stat().st_size, partial(_open_file, path)))
    return pictures, tables


def _open_file(path: Path) -> IO[bytes]:
    return path.open("rb")


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read: {error.strerror}.")


def _in_zip(source: Path, archive: zipfile.ZipFile) -> tuple[list[_Picture], list[_Table]]:
    pictures, tables = [], []
    for member in archive.infolist():
        _refuse_outside(member.filename, source)
        if member.is_dir():
            continue
        where = f"{member.filename} in {source}"
        path = PurePosixPath(member.filename.replace("\\", "/"))
        pictures.append(_Picture(path, where, partial(_read_member, archive, member, where)))
        if CSV.fullmatch(path.name):
            tables.append(_Table(path, where, member.file_size, partial(archive.open, member)))
    if not pictures:
        raise UserError(f"{source} is an empty zip. Expected {FORMS}.")
    return pictures, tables


def _in_tar(source: Path, tar: tarfile.TarFile) -> list[_Table]:
    tables = []
    try:
        for member in tar:
            _refuse_outside(member.name, source)
            path = PurePosixPath(member.name)
            if member.isfile() and CSV.fullmatch(path.name):
                where = f"{member.name} in {source}"
                tables.append(_Table(path, where, member.size, partial(_tar_member, tar, member)))
    except TAR_ERRORS as error:
        raise UserError(f"{source} is a truncated or corrupt tar: {error}. Fetch it again.") from error
    return tables


def _open_tar(source: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(source)
    except TAR_ERRORS as error:
        raise UserError(f"{source} is a truncated or corrupt tar: {error}. Fetch it again.") from error


def _tar_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    if file is None:
        raise UserError(f"{member.name} is no file of the tar.")
    return file


def _open_zip(source: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except ZIP_ERRORS as error:
        raise UserError(f"{source} is a truncated or corrupt zip: {error}. Fetch it again.") from error


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> bytes:
    try:
        return archive.read(member)
    except ZIP_ERRORS as error:
        raise UserError(f"{where} cannot be read: {error}. Fetch the zip again.") from error


def _refuse_outside(name: str, source: Path) -> None:
    parts = name.replace("\\", "/").split("/")
    if parts[0] == "" or ":" in parts[0] or ".." in parts:
        raise UserError(f"{source} holds the member {name!r}, which points outside it. Expected {FORMS}.")


def _looks_like_zip(source: Path) -> bool:
    try:
        with source.open("rb") as file:
            # a truncated zip has lost its directory, which is_zipfile looks for, but not its beginning
            return file.read(4) == b"PK\x03\x04" or zipfile.is_zipfile(source)
    except OSError as error:
        raise UserError(f"source={source} cannot be read: {error.strerror}.") from error


def _looks_like_tar(source: Path) -> bool:
    try:
        return source.stat().st_size > 0 and tarfile.is_tarfile(source)
    except TAR_ERRORS:  # compressed, but cut off
        return True


# ------------------------------------------------------------------------------------------------ pictures


def _is_picture(path: PurePosixPath) -> bool:
    return bool(PICTURE.fullmatch(path.stem)) and path.suffix.lower() in Image.registered_extensions()


def _read_pictures(pictures: Iterable[_Picture], *, resize: bool, progress: Progress) -> dict[str, RawSplit]:
    rows = {split: _Rows() for split in SPLITS}
    seen: dict[tuple[str, str], str] = {}
    # what can be told without decoding comes first
    chosen = list(pictures)
    for picture in chosen:
        emotion = picture.path.parent.name
        if emotion not in EMOTIONS:
            raise UserError(
                f"{picture.where} lies in the folder {emotion!r}, which is no emotion. "
                f"Expected one of {', '.join(EMOTIONS)}."
            )
        key = (emotion, picture.path.name)
        if key in seen:
            raise UserError(f"{picture.where} stands in the source twice, also as {seen[key]}. Expected it once.")
        seen[key] = picture.where
    for picture in progress.track(chosen, description="Reading FER2013"):
        image = decode_grey(picture.read(), picture.where)
        if image.shape != SIZE:
            if not resize:
                raise UserError(
                    f"{picture.where} has {image.shape[1]}x{image.shape[0]} pixels, expected "
                    f"{SIZE[1]}x{SIZE[0]}. To have all pictures resized: dataset.resize=true"
                )
            image = resized(image, SIZE)
        name = picture.path.name
        label = EMOTIONS.index(picture.path.parent.name)
        rows[USAGES[name.partition("_")[0]]].add(image.tobytes(), label, name)
    return {split: row.done() for split, row in rows.items()}


# ------------------------------------------------------------------------------------------------------ csv


def _choose(tables: list[_Table], source: Path, container: str) -> tuple[dict[str | None, _Table], tuple[str, ...]]:
    """Split -> its csv, or None -> the one csv whose rows tell their splits; and the columns in their order."""
    tables, headers = _readable(tables)
    _say_whose_votes(tables, headers)
    fitting = [(table, header) for table, header in zip(tables, headers, strict=True) if _fits(header)]
    named = [
        (split_named(table.path.name.partition(".")[0]), table)
        for table, header in zip(tables, headers, strict=True)
        if set(COLUMNS[:2]) <= set(header)
    ]
    by_split: dict[str | None, _Table] = {split: table for split, table in named if split}
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


def _say_whose_votes(tables: list[_Table], headers: list[tuple[str, ...]]) -> None:
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


def _readable(tables: list[_Table]) -> tuple[list[_Table], list[tuple[str, ...]]]:
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


def _header(table: _Table) -> tuple[str, ...]:
    """The names of the columns without blanks around them; () for an empty file."""
    with _opened(table) as (names, _):
        return tuple(names)


def _read_tables(tables: dict[str | None, _Table], *, progress: Progress) -> dict[str, RawSplit]:
    rows = {split: _Rows() for split in SPLITS}
    for split, table in tables.items():
        _read_table(table, split, rows, progress)
    return {split: row.done() for split, row in rows.items()}


def _read_table(table: _Table, split: str | None, rows: dict[str, _Rows], progress: Progress) -> None:
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
def _opened(table: _Table) -> Iterator[tuple[list[str], "Reader"]]:
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
