"""A small FER2013 of drawn faces, with planted faults, in each of the forms in which people have FER2013.

JPEG loses something, so pictures are compressed first, and what the csv forms hold is read back from them.
"""

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_perturb.data.drawn_faces.drawing import CLASS_COUNTS, draw_faces

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
USAGES = ("Training", "PublicTest", "PrivateTest")


@dataclass(frozen=True)
class Picture:
    usage: str
    emotion: str
    file: str  # <usage>_<digits>.jpg or .png
    data: bytes  # the file's bytes
    pixels: NDArray[np.uint8]  # (48, 48), as decoded from them

    @property
    def folder(self) -> str:
        return f"{'train' if self.usage == 'Training' else 'test'}/{self.emotion}"


def encode(pixels: NDArray[np.uint8], kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return buffer.getvalue()


def textures(count: int, seed: int, size: tuple[int, int] = (48, 48)) -> NDArray[np.uint8]:
    """(count, H, W) uint8: smooth random pictures, no two of them alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 7, 7), dtype=np.uint8)
    height, width = size
    return np.stack([np.asarray(Image.fromarray(c).resize((width, height), Image.Resampling.BICUBIC)) for c in coarse])


@cache
def pictures(per_class: tuple[int, int, int] = (20, 5, 5), seed: int = 0) -> tuple[Picture, ...]:
    """Drawn faces: `per_class` of each emotion in Training, PublicTest and PrivateTest; some are PNGs."""
    each = sum(per_class)
    faces = draw_faces(each * ceil(sum(CLASS_COUNTS) / min(CLASS_COUNTS) + 1), seed, label_noise=0)
    of = {emotion: iter(faces.images[faces.labels == label]) for label, emotion in enumerate(EMOTIONS)}
    made: list[Picture] = []
    for usage, count in zip(USAGES, per_class, strict=True):
        for emotion in EMOTIONS:
            made += [picture(usage, emotion, next(of[emotion]), len(made) + number) for number in range(count)]
    return tuple(made)


def picture(usage: str, emotion: str, pixels: NDArray[np.uint8], number: int) -> Picture:
    kind = "PNG" if number % 10 == 3 else "JPEG"
    data = encode(pixels, kind)
    decoded = np.asarray(Image.open(io.BytesIO(data)))
    return Picture(usage, emotion, f"{usage}_{number}.{'png' if kind == 'PNG' else 'jpg'}", data, decoded)


def with_faults(clean: Sequence[Picture]) -> list[Picture]:
    """Adds the planted faults of FAULTS to the pictures of `pictures()`."""
    train = [one for one in clean if one.usage == "Training"]
    val = [one for one in clean if one.usage == "PublicTest"]
    number = 100_000
    added: list[Picture] = []

    def again(one: Picture, usage: str, emotion: str | None = None) -> None:
        file = f"{usage}_{number + len(added)}.{one.file[-3:]}"
        added.append(replace(one, usage=usage, emotion=emotion or one.emotion, file=file))

    def new(usage: str, emotion: str, pixels: NDArray[np.uint8]) -> None:
        added.append(picture(usage, emotion, pixels, number + len(added)))

    for one in train[:3]:
        again(one, "PublicTest")
    again(train[0], "PublicTest")  # twice in PublicTest
    for one in train[5:7]:
        again(one, "PrivateTest")
    again(val[0], "PrivateTest")
    again(train[10], "Training")
    again(train[11], "Training", "neutral")  # train[11] is angry
    again(train[12], "PrivateTest", "sad")  # train[12] is angry too
    new("Training", "fear", np.zeros((48, 48), np.uint8))
    new("PrivateTest", "happy", np.full((48, 48), 255, np.uint8))
    for one in train[30:32]:
        new("PrivateTest", one.emotion, np.ascontiguousarray(one.pixels[:, ::-1]))
    for one in train[40:43]:
        moved = np.pad(one.pixels, 2, mode="edge")[4:, 1:49]  # by 2 down and 1 left
        new("PublicTest", one.emotion, moved)
    return [*clean, *added]


# what an audit of with_faults(pictures()) must find
FAULTS = {
    "added": 17,
    "duplicate_groups": 9,
    "duplicate_images": 19,
    "groups_across_splits": 7,
    "train/val": (3, 4),  # groups, images of the second split
    "train/test": (3, 3),
    "val/test": (1, 1),
    "conflicting_groups": 2,
    "constant_images": 2,
    "mirrored": 2,
    "shifted": 3,
    "leaking_from_training": 6,  # training images that clean=true leaves out: they stand in val or test ...
    "conflicting_in_training": 2,  # ... two more carry other labels inside training ...
    "constant_in_training": 1,
}


def write_zip(path: Path, content: Sequence[Picture]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for folder in dict.fromkeys(one.folder for one in content):
            archive.mkdir(folder)
        for one in content:
            archive.writestr(f"{one.folder}/{one.file}", one.data)
    return path


def write_folder(path: Path, content: Sequence[Picture]) -> Path:
    for one in content:
        file = path / one.folder / one.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(one.data)
    return path


def write_fer2013_csv(path: Path, content: Sequence[Picture]) -> Path:
    rows = [[*_fields(one)] for one in content]
    return write_csv(path, ["emotion", "pixels", "Usage"], rows)


def write_icml_csv(path: Path, content: Sequence[Picture]) -> Path:
    rows = [[label, usage, pixels] for label, pixels, usage in map(_fields, content)]
    return write_csv(path, ["emotion", " Usage", " pixels"], rows)


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path


def _fields(one: Picture) -> tuple[str, str, str]:
    return str(EMOTIONS.index(one.emotion)), " ".join(map(str, one.pixels.ravel().tolist())), one.usage
