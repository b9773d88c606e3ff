"""What is damaged: sources, packed data and runs, tiny and whole. Each part is made once, in a folder of its own."""

import csv
import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from small_fer2013 import EMOTIONS, Picture, pictures, write_fer2013_csv, write_folder, write_icml_csv, write_zip

from fer_perturb.data.drawn_faces.drawing import draw_faces
from fer_perturb.data.landmarks.maskfer import MaskFerMaker
from fer_perturb.data.landmarks.placing import place_landmarks
from fer_perturb.data.packed import RawSplit, load_packed, write_packed
from fer_perturb.data.packing import make, pack
from fer_perturb.data.readers.drawn_faces import DrawnFacesMaker
from fer_perturb.data.readers.fer2013.reader import Fer2013Reader

CLASSES = ("calm", "tense", "wild")
COUNTS = {"train": 24, "val": 9, "test": 9}
SIZE = 24  # pixels
DRAWING = {"train": 8, "val": 4, "test": 4}

Make = Callable[[Path], None]


def fer2013() -> tuple[Picture, ...]:
    return pictures((2, 1, 1))


def zipped(root: Path) -> None:
    write_zip(root / "fer2013.zip", fer2013())


def folder(root: Path) -> None:
    write_folder(root / "fer2013", fer2013())


def table(root: Path) -> None:
    write_fer2013_csv(root / "fer2013.csv", fer2013()[::2])


def packed_table(root: Path) -> None:
    write_icml_csv(root / "icml.csv", fer2013()[::2])
    content = (root / "icml.csv").read_bytes()
    (root / "icml.csv").unlink()
    (root / "icml_face_data.csv.gz").write_bytes(gzip.compress(content, mtime=0))


def faces(root: Path) -> None:
    _write_faces(root / "faces", {"train": 5, "val": 2, "test": 2})


def unsplit(root: Path) -> None:
    _write_faces(root / "unsplit", {"": 9})


def listed(root: Path) -> None:
    _write_faces(root / "listed", {"train": 5, "val": 2, "test": 2})
    paths = sorted((root / "listed").rglob("*.png"))
    with (root / "listed" / "faces.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "label", "split"])
        for path in paths:
            inside = path.relative_to(root / "listed")
            writer.writerow([inside, inside.parts[1], inside.parts[0]])


def released(root: Path) -> None:
    (root / "released").mkdir()
    with (root / "released" / "dataset.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["label", "path", "classes"])
        for one in fer2013()[::2]:
            (root / "released" / one.file).write_bytes(one.data)
            writer.writerow([EMOTIONS.index(one.emotion), one.file, one.emotion])


def mine(root: Path) -> None:
    """Packed, with landmarks placed on it."""
    _pack(root / "mine", seed=1)


def other(root: Path) -> None:
    _pack(root / "other", seed=2)


def drawn(root: Path) -> None:
    make(root / "synthetic", DrawnFacesMaker(seed=0, **DRAWING))


def packed(root: Path) -> None:
    zipped(root.parent)
    pack(root.parent / "fer2013.zip", root / "fer2013", Fer2013Reader())


def masked(root: Path) -> None:
    mine(root)
    make(root / "masked", MaskFerMaker(load_packed(root / "mine"), unplaced="mean", workers=1))
    shutil.rmtree(root / "mine")


def _write_faces(root: Path, counts: dict[str, int]) -> None:
    drawn = draw_faces(len(CLASSES) * sum(counts.values()), 3, size=SIZE)
    number = 0
    for split, count in counts.items():
        for name in CLASSES:
            directory = root / split / name
            directory.mkdir(parents=True)
            for _ in range(count):
                Image.fromarray(drawn.images[number]).save(directory / f"{number}.png")
                number += 1


def _pack(root: Path, seed: int) -> None:
    drawn = draw_faces(sum(COUNTS.values()), seed, size=SIZE)
    labels = (np.arange(len(drawn)) % len(CLASSES)).astype(np.uint8)
    splits, start = {}, 0
    for split, count in COUNTS.items():
        rows = slice(start, start + count)
        names = [f"face{number}" for number in range(rows.start, rows.stop)]
        splits[split] = RawSplit(drawn.images[rows], labels[rows], names)
        start += count
    data = write_packed(root, root.name, CLASSES, splits, {"form": "folder"})
    place_landmarks(data, workers=1)
    for left in root.parent.glob(".*.lock"):
        left.unlink()
