"""MaskFer as the paper's author released it: a folder of pictures, and a file that says what they show.

- pictures `<split>_<id>.jpg`, anywhere in the folder; the split is Training, PublicTest or PrivateTest (or train, val,
  test), in any spelling of its letters' case;
- `dataset.csv`, with the columns label (a number), path (of a picture) and classes (the label's name); or
  `classes.txt`, whose lines name the classes: then each picture lies in a folder named by its class.
"""

import csv
import re
from itertools import takewhile
from pathlib import Path

import numpy as np
from rich.progress import Progress

from fer_perturb.data.decode import decode_grey, read_bytes
from fer_perturb.data.emotions import EMOTIONS, SPLITS
from fer_perturb.data.packed import RawSplit
from fer_perturb.data.readers.reader import Reading
from fer_perturb.errors import UserError

PICTURE = re.compile(r"(training|publictest|privatetest|train|val|test)_?([0-9]+)\.(?:jpe?g|png)", re.IGNORECASE)
SPLIT = {
    "training": "train",
    "publictest": "val",
    "privatetest": "test",
    "train": "train",
    "val": "val",
    "test": "test",
}
COLUMNS = ("label", "path", "classes")
FORM = "pictures named <split>_<id>.jpg with a dataset.csv (label, path, classes) or a classes.txt"
SYNONYMS = {"anger": "angry", "fearful": "fear", "happiness": "happy", "sadness": "sad", "surprised": "surprise"}


def read_released(source: Path, progress: Progress) -> Reading:
    """Reads the folder `source` (a Reader); `progress` shows a bar.

    Raises UserError, naming the file or the row, for what is missing, of an unknown class or split, or unreadable, and
    for pictures of unequal sizes.
    """
    if not source.is_dir():
        state = "is no folder" if source.exists() else "does not exist"
        raise UserError(f"source={source} {state}. Expected a folder with {FORM}.")
    listed = _by_csv(source) if (source / "dataset.csv").is_file() else _by_folders(source)
    rows: dict[str, list[tuple[Path, int]]] = {split: [] for split in SPLITS}
    for path, label in listed:
        rows[_split(path)].append((path, label))
    for split, of in rows.items():
        if not of:
            raise UserError(f"{source} has no pictures of the {split} split. Expected {FORM}.")
    task = progress.add_task("Reading pictures", total=len(listed))
    first: tuple[Path, tuple[int, ...]] | None = None
    splits = {}
    for split, of in rows.items():
        images = []
        for path, _ in of:
            image = decode_grey(read_bytes(path), str(path))
            first = first or (path, image.shape)
            if image.shape != first[1]:
                sizes = [f"{shape[1]}x{shape[0]}" for shape in (image.shape, first[1])]
                raise UserError(f"{path} has {sizes[0]} pixels, {first[0]} has {sizes[1]}.")
            images.append(image)
            progress.advance(task)
        labels = np.array([label for _, label in of], dtype=np.uint8)
        splits[split] = RawSplit(np.stack(images), labels, [path.name for path, _ in of])
    return Reading(EMOTIONS, splits, "released MaskFer")


def _by_csv(source: Path) -> list[tuple[Path, int]]:
    file = source / "dataset.csv"
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}.") from error
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    if not set(COLUMNS) <= set(names):
        raise UserError(f"{file} has the columns {', '.join(names) or 'none'}. Expected {', '.join(COLUMNS)}.")
    reader.fieldnames = names
    anywhere: dict[str, list[Path]] = {}
    for path in source.rglob("*"):
        if PICTURE.fullmatch(path.name):
            anywhere.setdefault(path.name, []).append(path)
    listed: list[tuple[Path, int]] = []
    numbers: dict[str, int] = {}
    for number, row in enumerate(reader, start=1):
        where = f"{file}, row {number}"
        if any(row[column] is None for column in COLUMNS):
            raise UserError(f"{where}: expected {', '.join(COLUMNS)}.")
        path = source / row["path"].strip().replace("\\", "/")
        if not path.is_file():  # a path of the author's machine: the picture lies in the folder all the same
            path = _ending_alike(path, anywhere.get(path.name, []), where)
        label, given = _label(row["classes"], where), row["label"].strip()
        if numbers.setdefault(given, label) != label or list(numbers.values()).count(label) > 1:
            raise UserError(
                f"{where}: label {given} for {row['classes'].strip()} does not go with earlier rows; expected one "
                "number for each class."
            )
        listed.append((path, label))
    if not listed:
        raise UserError(f"{file} has no rows. Expected one for each picture.")
    return listed


def _ending_alike(path: Path, candidates: list[Path], where: str) -> Path:
    """The picture whose path ends like `path` for longest: the same name may lie in the folders of two classes."""
    if not candidates:
        raise UserError(f"{where}: there is no picture {path.name} in the folder.")
    alike = {candidate: _shared_ending(candidate.parts, path.parts) for candidate in candidates}
    best = [candidate for candidate, length in alike.items() if length == max(alike.values())]
    if len(best) > 1:
        raise UserError(f"{where}: {path} may be {best[0]} or {best[1]}; expected paths that tell them apart.")
    return best[0]


def _shared_ending(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one[::-1], other[::-1], strict=False))))


def _by_folders(source: Path) -> list[tuple[Path, int]]:
    file = source / "classes.txt"
    if not file.is_file():
        there = ", ".join(sorted(path.name for path in source.iterdir())[:10]) or "nothing"
        raise UserError(f"{source} has neither dataset.csv nor classes.txt (it has {there}). Expected {FORM}.")
    try:
        words = file.read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}.") from error
    for number, line in enumerate(words, start=1):
        if not line.strip(",:").isdigit():
            _label(line.strip(",:"), f"{file}, word {number}")
    pictures = sorted(path for path in source.rglob("*") if PICTURE.fullmatch(path.name))
    if not pictures:
        raise UserError(f"{source} has no pictures named <split>_<id>.jpg. Expected {FORM}.")
    return [(path, _label(path.parent.name, f"{path}, in the folder {path.parent.name}")) for path in pictures]


def _label(name: str, where: str) -> int:
    word = name.strip().lower()
    word = SYNONYMS.get(word, word)
    if word not in EMOTIONS:
        raise UserError(f"{where}: {name!r} is no known class. Expected one of {', '.join(EMOTIONS)}.")
    return EMOTIONS.index(word)


def _split(path: Path) -> str:
    found = PICTURE.fullmatch(path.name)
    if not found:
        raise UserError(
            f"{path}: its name does not tell its split. Expected <split>_<id>.jpg, such as Training_17.jpg."
        )
    return SPLIT[found[1].lower()]
