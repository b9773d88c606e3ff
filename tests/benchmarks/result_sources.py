"""Pictures for `same_results`, drawn by numpy alone: the same for every version of this project."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHADES, FER2013, VOTES = "shades", "fer2013", "votes"  # what of write_sources is what
EMOTIONS = 7
VOTED = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # in the order of FER2013's labels
COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")


def write_sources(folder: Path) -> dict[str, Path]:
    """Where they lie: pictures of three shades in folders, FER2013's csv of seven, and FER+'s votes on those."""
    found = {SHADES: folder / "shades", FER2013: folder / "fer2013.csv", VOTES: folder / "fer2013new.csv"}
    write_shades(found[SHADES])
    write_fer2013(found[FER2013], found[VOTES])
    return found


def drawn(random: np.random.Generator, label: int, shape: tuple[int, int], step: float) -> NDArray[np.uint8]:
    """A bright spot on a slope, uint8 (H, W), with noise; the whole is brighter by `step` from class to class."""
    rows, columns = (np.mgrid[: shape[0], : shape[1]].T / shape[::-1]).T
    y, x = random.uniform(0.2, 0.8, 2)
    spot = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 0.03)
    noise = random.normal(0, 15, shape) + random.normal(0, 12)
    return (60 + step * label + 60 * spot + 30 * rows + noise).clip(0, 255).astype(np.uint8)


def write_shades(folder: Path) -> None:
    """train, val and test of three classes, 32x40 pixels; dataset.clean has something to leave out of train."""
    random = np.random.default_rng(0)
    classes = ("dark", "grey", "light")
    images: dict[Path, NDArray[np.uint8]] = {}
    for split, count in (("train", 96), ("val", 30), ("test", 30)):
        for number in range(count):
            label = number % len(classes)
            images[Path(split, classes[label], f"{number}.png")] = drawn(random, label, (32, 40), 25)
    images[Path("test/dark/0.png")] = images[Path("train/dark/0.png")]  # a twin
    images[Path("train/light/conflict.png")] = images[Path("train/dark/3.png")]
    images[Path("train/light/constant.png")] = np.full((32, 40), 90, np.uint8)
    for path, image in images.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / path)


def write_fer2013(pictures: Path, votes: Path) -> None:
    """fer2013.csv and fer2013new.csv, whose plurality is mostly the label, now and then another or none."""
    random = np.random.default_rng(1)
    rows, votes_of = [], []
    for usage, count in (("Training", 63), ("PublicTest", 14), ("PrivateTest", 14)):
        for number in range(count):
            label = number % EMOTIONS
            image = drawn(random, label, (48, 48), 12)
            rows.append([label, " ".join(map(str, image.ravel())), usage])
            cast = dict.fromkeys(COLUMNS, 0) | {VOTED[label]: 6, "contempt": 2}
            if number % 5 == 0:
                cast[VOTED[(label + 1) % EMOTIONS]] = 7 if number % 2 else 6
            votes_of.append([usage, *cast.values()])
    _write_csv(pictures, ["emotion", "pixels", "Usage"], rows)
    _write_csv(votes, ["Usage", *COLUMNS], votes_of)


def _write_csv(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
