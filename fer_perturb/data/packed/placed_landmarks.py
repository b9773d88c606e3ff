"""The landmarks that were placed on a dataset's images since it was packed, in data/<dataset>/landmarks.

    manifest.json        which images they belong to, and the sha256 of each array
    <split>.npy          (N, 68, 2) float16, x and y in pixels, in the order of the split's images
    <split>_instability.npy   (N,) float16: how far the points move when the face's box does (dlib_landmarks.py)

A face whose points are too unstable is none, or one that the predictor cannot see: it has the mean shape of the others.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.packed.format import LANDMARKS, MANIFEST, mapped, require_hash

VERSION = 1  # raise it when the same images would get other landmarks
MOST_INSTABILITY = 0.2  # the most that a face's landmarks may move (dlib_landmarks.py); a face above it is not placed


def landmarks_made_by(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the landmarks that are placed on a dataset's images."""
    images = {split: manifest["arrays"][f"{split}/images.npy"]["sha256"] for split in SPLITS}
    return {"version": VERSION, "most_instability": MOST_INSTABILITY, "images": images}


def made_for(folder: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether the landmarks in `folder` were placed on these images."""
    try:
        made_by: Any = json.loads((folder / MANIFEST).read_text())["made_by"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(made_by == landmarks_made_by(manifest))


def landmarks_of(
    root: Path, split: str, manifest: dict[str, Any], count: int
) -> tuple[NDArray[np.floating[Any]] | None, NDArray[np.bool_] | None]:
    """Known ones, or those that were placed on these very images, whole, and where; not those of others."""
    known = f"{split}/{LANDMARKS}.npy"
    if known in manifest["arrays"]:
        return mapped(root / known), None
    if not made_for(root / LANDMARKS, manifest):
        return None, None
    try:
        placed = json.loads((root / LANDMARKS / MANIFEST).read_text())["arrays"]
        for name in (f"{split}.npy", f"{split}_instability.npy"):
            require_hash(root / LANDMARKS, name, placed[name])
        points = mapped(root / LANDMARKS / f"{split}.npy")
        instability = np.load(root / LANDMARKS / f"{split}_instability.npy", allow_pickle=False)
        placed = instability <= np.float16(MOST_INSTABILITY)
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return None, None
    return (points, placed) if points.shape == (count, 68, 2) and len(placed) == count else (None, None)
