"""Packed data: one memory-mapped uint8 array per split, and a manifest that says what it is.

    data/<dataset>/manifest.json
    data/<dataset>/{train,val,test}/images.npy   (N, H, W) uint8, grey, 0 = black
                                    labels.npy   (N,) uint8, index into the manifest's classes
                                    names.txt    N lines
                                    <extra>.npy  what else a dataset knows of each image, (N, ...)
                                    votes.npy    of FER2013, (N, 10) uint8: FER+'s votes (ferplus/votes.py)

Rows are sorted by (sha256 of the pixels, label, name), so that the same pixels give the same arrays, byte
for byte, whatever form they were read from. The sha256 of the pixels is an image's identity everywhere.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb import files
from fer_perturb.data.emotions import SPLITS

VERSION = 1  # of the format; data of another version is prepared again
MANIFEST = "manifest.json"
LANDMARKS = "landmarks"  # the extra array of known ones, or the folder of those placed later (placed_landmarks.py)
VOTES = "votes"  # the array beside FER2013's own; what lies beside has no part in what the data are
UNMASKED = "unmasked"  # the extra array that says which picture each of MaskFer's was
OWN = re.compile(rf"{MANIFEST}|({'|'.join(SPLITS)})/([^/]+\.npy|names\.txt)|{LANDMARKS}/({MANIFEST}|[^/]+\.npy)")


def require_hash(root: Path, name: str, expected: str) -> None:
    """ValueError where the file `name` below `root` is not the one with the sha256 `expected`."""
    if files.sha256(root / name) != expected:
        raise ValueError(f"{name} is damaged: its sha256 is not the one in {MANIFEST}")


def mapped(path: Path) -> NDArray[Any]:
    """The array in a file, memory-mapped, read-only."""
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:  # without rows there is nothing to map
        array = np.load(path, allow_pickle=False)
    return array
