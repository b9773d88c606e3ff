"""Anyone's own pictures of faces: class folders, in split folders or not, or a csv that lists pictures."""

import csv
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import Progress

from fer_perturb.data.csv_table import opened_csv, whole_rows
from fer_perturb.data.decode import decode_grey, read_bytes, resized
from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.file_names import LITTER, SPLIT_NAMES, composed, is_litter, split_named
from fer_perturb.data.near_duplicates import LIMIT, near_duplicates
from fer_perturb.data.packed import RawSplit, image_identities
from fer_perturb.data.splitting import Splitting, is_whole, nearest_shares, split_rows, together
from fer_perturb.errors import UserError, warn

LAYOUT = "train/<class>/<picture>, val/<class>/<picture> and test/<class>/<picture>"
COLUMNS = ("path", "label", "split", "group")  # of a csv that lists pictures; the last two may be missing
MOST_CLASSES = 127  # predictions hold labels as int8
NO_CSV = (UnicodeError, csv.Error, OSError, EOFError, zlib.error)  # what reading another file as one ends in


@dataclass(frozen=True)
class FolderData:
    """What a source held: its classes, the splits, and how many files were left out, by reason."""

    classes: list[str]
    splits: dict[str, RawSplit]
    left_out: dict[str, int]


@dataclass(frozen=True)
class _Picture:
    path: Path
    label: str  # the class's name, accents composed
    split: str | None = None
    group: str | None = None


@dataclass
class _Found:
    """The pictures of a source, not decoded yet."""

    pictures: list[_Picture] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def read_folder(
    source: Path,
    classes: Sequence[str] | None,
    *,
    resize: tuple[int, int] | None,
    splitting: Splitting,
    progress: Progress,
) -> FolderData:
    """Reads `source` as grey images of one size; `progress` shows a bar.

    source: a folder of {train,val,test}/<class>/* (also valid, validation, dev, in any case, and all that one folder
    deeper), of <class>/*, or a csv with the columns path, label and, if wanted, split and group, its paths relative to
    it, or a folder of such csvs, which may be named after the splits. Without val, or without splits, `splitting` says
    how they come about; a source of test alone has no others.
    classes: their names in the order of their labels; None: those that are found, sorted.

    Pictures are the files that Pillow reads by their ending (jpg, png, bmp, ...), images are named <class>/<file>. All
    must have the same size, unless `resize` = (H, W) says to which to bring them. Other files are left out and counted.
    Raises UserError for an unknown class, a split that is missing, a class without training images, unequal sizes, and
    a picture that cannot be read.
    """
    if source.is_dir():
        lists = _lists(source)
        found = _in_lists(lists) if lists else _in_folders(source)
    elif source.is_file():
        found = _in_lists([source])
    else:
        raise UserError(
            f"source={source} does not exist. Expected a folder with {LAYOUT}, or a csv that lists pictures."
        )
    names = _classes(found.pictures, classes, source)
    pictures, among = _without_split(found.pictures, splitting, source)
    images = _images(pictures, resize, progress)
    labels = np.array([names.index(picture.label) for picture in pictures], dtype=np.uint8)
    parts = [picture.split for picture in pictures]
    if among:
        rows = np.array([row for row, part in enumerate(parts) if part is None])
        groups = _groups(images[rows], [pictures[row] for row in rows], splitting, progress)
        for row, part in zip(rows, _parted(labels[rows], groups, among, splitting, source), strict=True):
            parts[row] = part
    splits = {}
    for split in SPLITS:
        chosen = np.array([row for row, part in enumerate(parts) if part == split], dtype=np.int64)
        of = [pictures[row].path for row in chosen]
        splits[split] = RawSplit(images[chosen], labels[chosen], [f"{path.parent.name}/{path.name}" for path in of])
    _check_splits(splits, names, source)
    return FolderData(names, splits, found.left_out)


def checked_size(resize: object) -> tuple[int, int] | None:
    """dataset.resize as (H, W) in pixels; UserError where it is neither null nor a list of two whole numbers."""
    if resize is None:
        return None
    sides = list(resize) if isinstance(resize, Sequence) else []
    if len(sides) != 2 or not all(type(side) is int and side >= 1 for side in sides):
        raise UserError(
            f"dataset.resize={resize} is not usable for dataset=folder. Expected [height, width] in pixels, such as "
            f"'dataset.resize=[48,48]', or null to leave the size as it is."
        )
    return sides[0], sides[1]


# ----------------------------------------------------------------------------------------------- what there is


def _in_folders(source: Path) -> _Found:
    found = _Found()
    root = source
    while len(inside := _folders(root)) == 1 and not split_named(inside[0].name) and _folders(inside[0]):
        for path in _entries(root, found):
            if not path.is_dir():
                found.leave_out("file beside the class folders")
        root = inside[0]  # an archive's own folder around the splits
    split_folders = {folder: split for folder in inside if (split := split_named(folder.name))}
    if not split_folders:
        _in_class_folders(root, None, found)
    else:
        for path in _entries(root, found):
            if path not in split_folders:
                found.leave_out("file or folder beside those of the splits")
    for folder, split in split_folders.items():
        _in_class_folders(folder, split, found)
    if not found.pictures:
        there = ", ".join(path.name for path in _entries(root, _Found())) or "nothing"
        raise UserError(
            f"{root} has no pictures in class folders (it has {there}). Expected {LAYOUT}, or a csv with the columns "
            f"{COLUMNS[0]} and {COLUMNS[1]}."
        )
    return found


def _in_class_folders(folder: Path, split: str | None, found: _Found) -> None:
    endings = Image.registered_extensions()
    for class_folder in _entries(folder, found):
        if not class_folder.is_dir():
            found.leave_out("file beside the class folders")
            continue
        _writable_name(class_folder)
        for path in _entries(class_folder, found):
            if path.is_dir():
                raise UserError(f"{path} is a folder inside a class folder. Expected {LAYOUT}.")
            if path.suffix.lower() not in endings:
                found.leave_out("file that is no picture")
            else:
                found.pictures.append(_Picture(_writable_name(path), composed(class_folder.name), split))


def _lists(source: Path) -> list[Path]:
    """The csvs in a folder that list pictures; where there is no folder beside them, all csvs are taken for such."""
    csvs = [path for path in _entries(source, _Found()) if re.search(r"\.csv(\.gz)?$", path.name, re.IGNORECASE)]
    if not _folders(source):
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


def _in_lists(lists: Sequence[Path]) -> _Found:
    """The pictures that csvs list, in their order; a csv without a column of splits may be named after one."""
    found = _Found()
    for path in lists:
        _in_list(path, found)
    if not found.pictures:
        raise UserError(f"{lists[0]} lists no pictures. Expected a row for each.")
    return found


def _in_list(source: Path, found: _Found) -> None:
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
                path = _writable_name(source.parent / values["path"])
                found.pictures.append(_Picture(path, composed(values["label"]), split, values.get("group") or None))
    except NO_CSV as error:
        unpack = " Unpack it first." if zipfile.is_zipfile(source) or tarfile.is_tarfile(source) else ""
        raise UserError(f"{source} cannot be read as a csv: {error}. {expected}{unpack}") from error


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder, _Found()) if path.is_dir()]


def _entries(folder: Path, found: _Found) -> list[Path]:
    """What lies in a folder, links followed, but for what is hidden or left by a system, which is counted."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}.") from error
    kept = []
    for path in paths:
        if is_litter(path.relative_to(folder)):
            found.leave_out(LITTER)
        elif path.name.startswith("."):
            found.leave_out("hidden file")
        else:
            kept.append(path)
    return kept


def _writable_name(path: Path) -> Path:
    """UserError where the name of a picture, or of the folder that it lies in, cannot stand in a list of names."""
    name = f"{path.parent.name}/{path.name}"
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{str(path)!r} has a name that is not UTF-8. Rename it.") from error
    if "\0" in str(path) or re.search(r"[\r\n]", name):
        raise UserError(f"{str(path)!r} has a line break or a zero byte in its name. Rename it.")
    return path


# ---------------------------------------------------------------------------------------- classes and splits


def _classes(pictures: Sequence[_Picture], given: Sequence[str] | None, source: Path) -> list[str]:
    present = sorted({picture.label for picture in pictures})
    names = present if given is None else [composed(name) for name in given]
    if given is None:
        print(f"Classes, as they are found: {', '.join(names)}. In another order: 'classes=[{','.join(names)}]'")
    if not 2 <= len(names) <= MOST_CLASSES:
        raise UserError(f"{source} has {len(names)} classes. Expected 2 to {MOST_CLASSES} different names.")
    if len(set(names)) != len(names):
        raise UserError(f"classes={names} has a name twice. Expected 2 to {MOST_CLASSES} different names.")
    for name in names:
        if not re.fullmatch(r"[^/\\\s.][^/\\\r\n]*", name):
            raise UserError(f"classes={names}: {name!r} is no name of a folder.")
    for picture in pictures:
        if picture.label not in names:
            raise UserError(
                f"{picture.path} is of the class {picture.label}, which is no known class. Expected one of "
                f"{', '.join(names)}; other classes are given with classes=[...]"
            )
    return names


def _without_split(
    pictures: Sequence[_Picture], splitting: Splitting, source: Path
) -> tuple[list[_Picture], Sequence[str]]:
    """The pictures, and which splits those without one are divided among.

    Of data with val or test alone beside train, and `dataset.val_share`, that is the test.
    """
    there = {picture.split for picture in pictures}
    if there in ({None}, {"train"}):
        if splitting.shares is None:
            what = "no splits" if there == {None} else "no val and no test, only train"
            raise UserError(
                f"{source} has {what}. Give the shares of train, val and test: 'dataset.split=[0.8,0.1,0.1]'. Expected "
                f"that, or {LAYOUT}."
            )
        whole = [replace(picture, split=None) for picture in pictures]
        return whole, SPLITS
    if None in there:
        raise UserError(f"{source} gives some pictures a split and others none. Expected one for each, or for none.")
    if splitting.shares is not None:
        raise UserError(
            f"dataset.split is given, but {source} has splits of its own ({', '.join(sorted(map(str, there)))})."
        )
    if splitting.val_share is None:
        if there in ({"train", "val", "test"}, {"test"}):
            if splitting.group is not None:
                warn(f"dataset.group changes nothing: {source} has splits of its own.")
            return list(pictures), ()
        lacking = [split for split in SPLITS if split not in there]
        way = "" if "train" in lacking else (
            " To take val from train (what lies beside train is the test then): dataset.val_share=0.1"
        )  # fmt: skip
        raise UserError(f"{source} has no {' and no '.join(lacking)}, only {', '.join(sorted(map(str, there)))}.{way}")
    if "train" not in there or len(there) != 2:
        raise UserError(
            f"dataset.val_share={splitting.val_share}: {source} has {', '.join(sorted(map(str, there)))}; expected "
            "train, and val or test, which is the test then."
        )
    if "val" in there:
        print("What lies beside train is the test; val is taken from train.")
    told = [replace(of, split=None if of.split == "train" else "test") for of in pictures]
    return told, ("train", "val")


def _groups(
    images: NDArray[np.uint8], pictures: Sequence[_Picture], splitting: Splitting, progress: Progress
) -> NDArray[np.int64]:
    """(N,): the images that stay together: the same or nearly the same picture, or the same group."""
    _, first, same = np.unique(image_identities(images), return_index=True, return_inverse=True)
    pairs = [np.stack([np.arange(len(images)), first[same]], axis=1)]
    if len(first) <= LIMIT:
        near = near_duplicates(images[first], progress)
        pairs += [first[near.shifted], first[near.mirrored]]
    else:
        warn(f"Of more than {LIMIT:,} pictures only equal ones are kept in one split, not those that are nearly so.")
    names = [picture.group or splitting.group_of(picture.path.name) for picture in pictures]
    if splitting.group and not any(names):
        raise UserError(
            f"dataset.group={splitting.group} is found in no picture's name, such as {pictures[0].path.name}."
        )
    return together(len(images), np.concatenate(pairs).astype(np.int64), names)


def _parted(
    labels: NDArray[np.uint8], groups: NDArray[np.int64], among: Sequence[str], splitting: Splitting, source: Path
) -> list[str]:
    """The split of each image; UserError, saying what shares would do, where one has none or train lacks a class."""
    key, asked = "dataset.split", tuple(splitting.shares or ())
    if splitting.val_share is not None and len(among) == 2:
        key, asked = "dataset.val_share", (1 - splitting.val_share, splitting.val_share)

    def told(shares: Sequence[float]) -> str:
        return f"{key}={shares[1]:g}" if len(shares) == 2 else f"{key}=[{','.join(f'{share:g}' for share in shares)}]"

    part = split_rows(labels, groups, asked, splitting.seed)
    if is_whole(part, labels, len(among)):
        return [among[number] for number in part]
    empty = [split for number, split in enumerate(among) if number not in part]
    lacks = f"the {' and the '.join(empty)} split without pictures" if empty else "train without pictures of some class"
    near = nearest_shares(labels, groups, asked, splitting.seed)
    way = f"These shares would do: '{told(near)}'." if near else (
        "No shares would do. Expected more pictures, or a csv whose column split gives each picture its own."
    )  # fmt: skip
    raise UserError(
        f"{told(asked)} leaves {lacks}: {source} has {groups.max() + 1} sets of pictures of which each stays in one "
        f"split (near-duplicates, and those of one dataset.group). {way}"
    )


def _check_splits(splits: dict[str, RawSplit], classes: Sequence[str], source: Path) -> None:
    if not len(splits["train"]) and not len(splits["val"]):
        return  # a test alone
    for split, of in splits.items():
        if not len(of):
            raise UserError(f"{source} leaves the {split} split without pictures. Expected some in each.")
    missing = [name for index, name in enumerate(classes) if index not in set(splits["train"].labels.tolist())]
    if missing:
        raise UserError(
            f"{source} has no pictures of {', '.join(missing)} in train. "
            f"Expected some of every class: {', '.join(classes)}."
        )


# -------------------------------------------------------------------------------------------------- pictures


def _images(pictures: Sequence[_Picture], resize: tuple[int, int] | None, progress: Progress) -> NDArray[np.uint8]:
    """(N, H, W) uint8."""
    first = pictures[0].path
    height, width = resize or _decode(first, None).shape
    images = np.empty((len(pictures), height, width), dtype=np.uint8)
    for row, image in enumerate(
        progress.track(_decoded(pictures, resize), len(pictures), description="Reading pictures")
    ):
        if image.shape != (height, width):
            raise UserError(
                f"{pictures[row].path} has {image.shape[1]}x{image.shape[0]} pixels, {first} has {width}x{height}. "
                f"Expected one size. To have all pictures resized: dataset.resize=[48,48]"
            )
        images[row] = image
    return images


def _decoded(pictures: Sequence[_Picture], resize: tuple[int, int] | None) -> Iterator[NDArray[np.uint8]]:
    for picture in pictures:
        yield _decode(picture.path, resize)


def _decode(path: Path, resize: tuple[int, int] | None) -> NDArray[np.uint8]:
    image = decode_grey(read_bytes(path), str(path))
    return image if resize is None else resized(image, resize)
