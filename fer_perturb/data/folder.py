"""Anyone's own pictures of faces, in `<split>/<class>/<picture>`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import Progress

from fer_perturb.data.decode import decode_grey, read_bytes, resized
from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.packed import RawSplit
from fer_perturb.errors import UserError

LAYOUT = "train/<class>/<picture>, val/<class>/<picture> and test/<class>/<picture>"
MOST_CLASSES = 127  # predictions hold labels as int8


@dataclass(frozen=True)
class FolderData:
    """What a folder held: the splits, and how many files were left out, by reason."""

    splits: dict[str, RawSplit]
    left_out: dict[str, int]


def read_folder(
    source: Path, classes: Sequence[str], *, resize: tuple[int, int] | None, progress: Progress
) -> FolderData:
    """Reads `source`/{train,val,test}/<class>/* as grey images of one size; `progress` shows a bar.

    Pictures are the files that Pillow reads by their ending (jpg, png, bmp, ...). Hidden files are passed over;
    other files, and files beside the class folders, are left out and counted; what lies beside the split folders
    is not looked at. Images are named <class>/<file>. All must have the same size, unless `resize` = (H, W) says
    to which to bring them. Raises UserError for an unknown class folder, a folder inside a class folder, a
    missing split, a class without training images, unequal sizes, and a picture that cannot be read.
    """
    _check_classes(classes)
    if not source.is_dir():
        state = "is no folder" if source.exists() else "does not exist"
        raise UserError(f"source={source} {state}. Expected a folder with {LAYOUT}.")
    left_out: dict[str, int] = {}
    found = {split: _pictures(source, split, classes, left_out) for split in SPLITS}
    _check_train(source, found["train"], classes)
    total = sum(map(len, found.values()))
    task = progress.add_task("Reading pictures", total=total)
    first = found["train"][0][0]
    height, width = resize or _decode(first, None).shape
    splits = {}
    for split, pictures in found.items():
        images = np.empty((len(pictures), height, width), dtype=np.uint8)
        for row, (path, _) in enumerate(pictures):
            image = _decode(path, resize)
            if image.shape != (height, width):
                raise UserError(
                    f"{path} has {image.shape[1]}x{image.shape[0]} pixels, {first} has {width}x{height}. "
                    f"Expected one size. To have all pictures resized: dataset.resize=[48,48]"
                )
            images[row] = image
            progress.advance(task)
        splits[split] = RawSplit(
            images=images,
            labels=np.array([label for _, label in pictures], dtype=np.uint8),
            names=[f"{path.parent.name}/{path.name}" for path, _ in pictures],
        )
    return FolderData(splits=splits, left_out=left_out)


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


def _decode(path: Path, resize: tuple[int, int] | None) -> NDArray[np.uint8]:
    image = decode_grey(read_bytes(path), str(path))
    return image if resize is None else resized(image, resize)


def _pictures(source: Path, split: str, classes: Sequence[str], left_out: dict[str, int]) -> list[tuple[Path, int]]:
    """The pictures of a split with their labels, without decoding them."""
    folder = source / split
    if not folder.is_dir():
        there = ", ".join(path.name for path in _visible(source)) or "nothing"
        raise UserError(f"{source} has no folder {split} (it has {there}). Expected {LAYOUT}.")
    pictures = []
    endings = Image.registered_extensions()
    for class_folder in _visible(folder):
        if not class_folder.is_dir():
            _count(left_out, "file beside the class folders")
            continue
        if class_folder.name not in classes:
            raise UserError(
                f"{class_folder} is a folder of no known class. Expected one of {', '.join(classes)}; "
                f"other classes are given with classes=[...]"
            )
        for path in _visible(class_folder):
            if path.is_dir():
                raise UserError(f"{path} is a folder inside a class folder. Expected {LAYOUT}.")
            if path.suffix.lower() not in endings:
                _count(left_out, "file that is no picture")
            elif re.search(r"[\r\n]", path.name):
                raise UserError(f"{str(path)!r} has a line break in its name. Rename it.")
            else:
                pictures.append((path, classes.index(class_folder.name)))
    if not pictures:
        raise UserError(f"{folder} has no pictures, so the {split} split is missing. Expected {LAYOUT}.")
    return pictures


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}.") from error


def _count(left_out: dict[str, int], reason: str) -> None:
    left_out[reason] = left_out.get(reason, 0) + 1


def _check_classes(classes: Sequence[str]) -> None:
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise UserError(f"classes= has {len(classes)} names. Expected 2 to {MOST_CLASSES} different names.")
    if len(set(classes)) != len(classes):
        raise UserError(f"classes={list(classes)} has a name twice. Expected 2 to {MOST_CLASSES} different names.")
    for name in classes:
        if not re.fullmatch(r"[^/\\\s.][^/\\\r\n]*", name):
            raise UserError(f"classes={list(classes)}: {name!r} is no name of a folder.")


def _check_train(source: Path, pictures: list[tuple[Path, int]], classes: Sequence[str]) -> None:
    labels = {label for _, label in pictures}
    missing = [name for index, name in enumerate(classes) if index not in labels]
    if missing:
        raise UserError(
            f"{source / 'train'} has no pictures of {', '.join(missing)}. "
            f"Expected some of every class: {', '.join(classes)}."
        )
