"""FER2013 in each form in which people have it.

- a zip of pictures, as Kaggle serves it: `train/<emotion>/Training_<digits>.jpg`,
  `test/<emotion>/{PublicTest,PrivateTest}_<digits>.jpg` (or .png);
- that folder, unpacked;
- `fer2013.csv`, with the columns emotion, pixels, Usage;
- `icml_face_data.csv`, with the columns `emotion`, ` Usage`, ` pixels`, leading blanks and all;
- one of the two inside a folder, a zip or a tar.

The form is told by looking inside, never by the name. The prefix of a picture's name gives its split, its parent
folder its emotion; rows of a csv are named row<number>, counted from 1 without the header.
"""

import csv
import io
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
from typing import IO

import numpy as np
from rich.progress import Progress

from fer_perturb.data.decode import decode_grey, read_bytes, resized
from fer_perturb.data.emotions import EMOTIONS, SPLITS
from fer_perturb.data.packed import RawSplit
from fer_perturb.errors import UserError

SIZE = (48, 48)
USAGES = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
PICTURE = re.compile(r"(Training|PublicTest|PrivateTest)_[0-9]+\.(?:jpg|png)")
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
    """A csv: `size` in bytes, and how to open it."""

    where: str
    size: int
    open: Callable[[], IO[bytes]]


def read_fer2013(source: Path, *, resize: bool, progress: Progress) -> Fer2013:
    """Reads FER2013 from `source`, 48x48 images whatever the form; `progress` shows a bar.

    With `resize` pictures of another size are brought to 48x48. Raises UserError naming file, member or row.
    """
    if not source.exists():
        raise UserError(f"There is nothing at source={source}. Expected {FORMS}.")
    with _opened(source) as (pictures, tables, container):
        chosen = [picture for picture in pictures if PICTURE.fullmatch(picture.path.name)]
        if chosen:
            splits = _read_pictures(chosen, resize=resize, progress=progress)
            left_out = {}
            if len(pictures) > len(chosen):
                left_out["name is not <prefix>_<digits>.jpg or .png"] = len(pictures) - len(chosen)
            form = f"{container} of pictures"
        else:
            table, order = _choose(tables, source, container)
            splits = _read_table(table, progress=progress)
            left_out = {}
            kind = "fer2013.csv" if order == COLUMNS else "icml_face_data.csv"
            form = kind if container == "csv" else f"{kind} in a {container}"
    for usage, split in USAGES.items():
        if not len(splits[split]):
            found = ", ".join(f"{name}: {len(splits[key])}" for name, key in USAGES.items())
            raise UserError(
                f"{source} has no {usage} images, so the {split} split is missing (found {found}). Expected all three."
            )
    return Fer2013(splits=splits, form=form, left_out=left_out)


# ---------------------------------------------------------------------------------------------- containers


@contextmanager
def _opened(source: Path) -> Iterator[tuple[list[_Picture], list[_Table], str]]:
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
        yield [], [_Table(str(source), source.stat().st_size, partial(_open_file, source))], "csv"


def _in_folder(source: Path) -> tuple[list[_Picture], list[_Table]]:
    pictures, tables = [], []
    for folder, folders, names in os.walk(source, onerror=_refuse):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            inside = PurePosixPath(path.relative_to(source).as_posix())
            pictures.append(_Picture(inside, str(path), partial(read_bytes, path)))
            if path.suffix.lower() == ".csv":
                tables.append(_Table(str(path), path.stat().st_size, partial(_open_file, path)))
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
        if path.suffix.lower() == ".csv":
            tables.append(_Table(where, member.file_size, partial(archive.open, member)))
    if not pictures:
        raise UserError(f"{source} is an empty zip. Expected {FORMS}.")
    return pictures, tables


def _in_tar(source: Path, tar: tarfile.TarFile) -> list[_Table]:
    tables = []
    try:
        for member in tar:
            _refuse_outside(member.name, source)
            if member.isfile() and member.name.lower().endswith(".csv"):
                where = f"{member.name} in {source}"
                tables.append(_Table(where, member.size, partial(_tar_member, tar, member)))
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


def _choose(tables: list[_Table], source: Path, container: str) -> tuple[_Table, tuple[str, ...]]:
    """The one csv with the three columns, and its columns in their order."""
    headers = [_header(table) for table in tables]
    fitting = [(table, header) for table, header in zip(tables, headers, strict=True) if _fits(header)]
    if len(fitting) == 1:
        return fitting[0]
    if len(fitting) > 1:
        names = "; ".join(table.where for table, _ in fitting)
        raise UserError(f"source={source} holds several csvs of FER2013 ({names}). Give one of them.")
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


def _fits(header: tuple[str, ...]) -> bool:
    return all(column in header for column in COLUMNS)


def _header(table: _Table) -> tuple[str, ...]:
    """The names of the columns without blanks around them; () for an empty file or one that is no text."""
    with _opened_text(table) as text:
        # a file that is no csv may have no line break for megabytes
        columns = next(csv.reader([text.readline(10_000)]), [])
    return tuple(column.strip() for column in columns)


def _read_table(table: _Table, *, progress: Progress) -> dict[str, RawSplit]:
    rows = {split: _Rows() for split in SPLITS}
    task = progress.add_task("Reading FER2013", total=table.size)
    with _opened_text(table) as text:
        reader = csv.reader(text)
        header = [column.strip() for column in next(reader)]
        columns = [header.index(column) for column in COLUMNS]
        number = 0
        for row in reader:
            if not row:
                continue  # an empty line
            number += 1
            where = f"Row {number} (line {reader.line_num}) of {table.where}"
            if len(row) != len(header):
                raise UserError(f"{where} has {len(row)} columns, expected {len(header)}.")
            label, pixels, usage = (row[column] for column in columns)
            rows[_usage(usage, where)].add(_pixels(pixels, where), _label(label, where), f"row{number}")
            progress.advance(task, sum(map(len, row)) + len(row))
    progress.update(task, completed=table.size)
    if not number:
        raise UserError(f"{table.where} is empty: it has a header, but no row. Expected {FORMS}.")
    return {split: row.done() for split, row in rows.items()}


@contextmanager
def _opened_text(table: _Table) -> Iterator[io.TextIOWrapper]:
    """A csv to be read line by line; errors in reading it become UserErrors."""
    try:
        with table.open() as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            yield text
    except UserError:
        raise
    except UnicodeDecodeError as error:
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
    label = text.strip()
    if label not in GREY or GREY[label] >= len(EMOTIONS):
        expected = ", ".join(f"{index} {emotion}" for index, emotion in enumerate(EMOTIONS))
        raise UserError(f"{where} has the emotion {label!r}, expected one of {expected}.")
    return GREY[label]


def _usage(text: str, where: str) -> str:
    usage = text.strip()
    if usage not in USAGES:
        raise UserError(f"{where} has the Usage {usage!r}, expected one of {', '.join(USAGES)}.")
    return USAGES[usage]
