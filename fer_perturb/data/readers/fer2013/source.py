"""The files of FER2013, wherever they lie: in a folder, a zip or a tar, or a csv alone."""

import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from fer_perturb.data.decode import read_bytes
from fer_perturb.errors import UserError

CSV = re.compile(r".*\.csv(\.gz)?", re.IGNORECASE)
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
class Picture:
    """A picture's place: `path` inside the source, and how to get its bytes."""

    path: PurePosixPath
    where: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Table:
    """A csv: `path` inside the source, `size` in bytes, and how to open it."""

    path: PurePosixPath
    where: str
    size: int
    open: Callable[[], IO[bytes]]


@contextmanager
def opened_source(source: Path) -> Iterator[tuple[list[Picture], list[Table], str]]:
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
            [Table(PurePosixPath(source.name), str(source), source.stat().st_size, partial(_open_file, source))],
            "csv",
        )


def _in_folder(source: Path) -> tuple[list[Picture], list[Table]]:
    pictures, tables, walked = [], [], set()
    for folder, folders, names in os.walk(source, onerror=_refuse, followlinks=True):
        if (real := os.path.realpath(folder)) in walked:
            raise UserError(f"{folder} is a link to {real}, which stands in {source} already. Remove the link.")
        walked.add(real)
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            inside = PurePosixPath(path.relative_to(source).as_posix())
            pictures.append(Picture(inside, str(path), partial(read_bytes, path)))
            if CSV.fullmatch(path.name) and path.exists():
                tables.append(Table(inside, str(path), path.stat().st_size, partial(_open_file, path)))
    return pictures, tables


def _open_file(path: Path) -> IO[bytes]:
    return path.open("rb")


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read: {error.strerror}.")


def _in_zip(source: Path, archive: zipfile.ZipFile) -> tuple[list[Picture], list[Table]]:
    pictures, tables = [], []
    for member in archive.infolist():
        _refuse_outside(member.filename, source)
        if member.is_dir():
            continue
        where = f"{member.filename} in {source}"
        path = PurePosixPath(member.filename.replace("\\", "/"))
        pictures.append(Picture(path, where, partial(_read_member, archive, member, where)))
        if CSV.fullmatch(path.name):
            tables.append(Table(path, where, member.file_size, partial(archive.open, member)))
    if not pictures:
        raise UserError(f"{source} is an empty zip. Expected {FORMS}.")
    return pictures, tables


def _in_tar(source: Path, tar: tarfile.TarFile) -> list[Table]:
    tables = []
    try:
        for member in tar:
            _refuse_outside(member.name, source)
            path = PurePosixPath(member.name)
            if member.isfile() and CSV.fullmatch(path.name):
                where = f"{member.name} in {source}"
                tables.append(Table(path, where, member.size, partial(_tar_member, tar, member)))
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
