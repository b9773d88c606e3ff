"""Anyone's own pictures of faces: class folders, in split folders or not, or a csv that lists pictures."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from fer_perturb.data.decode import decode_grey, read_bytes, resized
from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.file_names import composed
from fer_perturb.data.packed import RawSplit
from fer_perturb.data.readers.folder.class_folders import in_class_folders
from fer_perturb.data.readers.folder.found import LAYOUT, Picture
from fer_perturb.data.readers.folder.lists import in_lists, picture_lists
from fer_perturb.data.readers.folder.parts import check_whole, groups_of, parted, without_split
from fer_perturb.data.readers.folder.splitting import Splitting
from fer_perturb.data.readers.reader import Reading
from fer_perturb.errors import UserError

MOST_CLASSES = 127  # predictions hold labels as int8


@dataclass(frozen=True)
class FolderReader:
    """People's own pictures (see `read_folder`); UserError, naming the key, for settings that cannot be used.

    classes: the names of the class folders, in the order of the labels; None: as they are found. resize: (H, W) in
    pixels. splitting: how pictures get the splits that they lack.
    """

    classes: Sequence[object] | None = None
    resize: Sequence[int] | None = None
    splitting: Splitting = field(default_factory=Splitting)

    def __post_init__(self) -> None:
        checked_size(self.resize)
        if self.classes is not None and not isinstance(self.classes, list | tuple):
            raise UserError(
                f"classes={self.classes} is no list. Expected the names of the class folders, in the order of their "
                "labels, such as 'classes=[calm,tense]'."
            )

    def settings(self, source: Path) -> dict[str, Any]:
        """See RecordedReader."""
        size = checked_size(self.resize)
        return {"resize": list(size) if size else None, "splitting": asdict(self.splitting)}

    def __call__(self, source: Path, progress: Progress) -> Reading:
        """See `read_folder`."""
        names = None if self.classes is None else [str(name) for name in self.classes]  # Hydra reads 2 as a number
        size = checked_size(self.resize)
        return read_folder(source, names, resize=size, splitting=self.splitting, progress=progress)


def read_folder(
    source: Path,
    classes: Sequence[str] | None,
    *,
    resize: tuple[int, int] | None,
    splitting: Splitting,
    progress: Progress,
) -> Reading:
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
        lists = picture_lists(source)
        found = in_lists(lists) if lists else in_class_folders(source)
    elif source.is_file():
        found = in_lists([source])
    else:
        raise UserError(
            f"source={source} does not exist. Expected a folder with {LAYOUT}, or a csv that lists pictures."
        )
    names = class_names(found.pictures, classes, source)
    pictures, among = without_split(found.pictures, splitting, source)
    images = images_of(pictures, resize, progress)
    labels = np.array([names.index(picture.label) for picture in pictures], dtype=np.uint8)
    parts = [picture.split for picture in pictures]
    if among:
        rows = np.array([row for row, part in enumerate(parts) if part is None])
        groups = groups_of(images[rows], [pictures[row] for row in rows], splitting, progress)
        for row, part in zip(rows, parted(labels[rows], groups, among, splitting, source), strict=True):
            parts[row] = part
    splits = {}
    for split in SPLITS:
        chosen = np.array([row for row, part in enumerate(parts) if part == split], dtype=np.int64)
        of = [pictures[row].path for row in chosen]
        splits[split] = RawSplit(images[chosen], labels[chosen], [f"{path.parent.name}/{path.name}" for path in of])
    check_whole(splits, names, source)
    return Reading(names, splits, "folder", found.left_out)


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


def class_names(pictures: Sequence[Picture], given: Sequence[str] | None, source: Path) -> list[str]:
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


def images_of(pictures: Sequence[Picture], resize: tuple[int, int] | None, progress: Progress) -> NDArray[np.uint8]:
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


def _decoded(pictures: Sequence[Picture], resize: tuple[int, int] | None) -> Iterator[NDArray[np.uint8]]:
    for picture in pictures:
        yield _decode(picture.path, resize)


def _decode(path: Path, resize: tuple[int, int] | None) -> NDArray[np.uint8]:
    image = decode_grey(read_bytes(path), str(path))
    return image if resize is None else resized(image, resize)
