"""Splits become packed data, whole or not at all."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb import files
from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.packed.format import LANDMARKS, MANIFEST, VERSION
from fer_perturb.data.packed.load import load_packed
from fer_perturb.data.packed.packed_data import PackedData
from fer_perturb.data.packed.placed_landmarks import made_for
from fer_perturb.data.packed.split import RawSplit, row_order


def write_packed(
    root: Path,
    name: str,
    classes: Sequence[str],
    splits: Mapping[str, RawSplit],
    source: Mapping[str, Any],
    *,
    left_out: Mapping[str, int] | None = None,
    audit: Mapping[str, Any] | None = None,
) -> PackedData:
    """Writes the three splits under `root`, whole or not at all, and loads them.

    `source`, `left_out` (reason -> count) and `audit` go into the manifest as they are. Raises ValueError
    where the splits do not fit each other (the readers see to it that they do).
    """
    check_splits(splits, classes)
    manifest: dict[str, Any] = {
        "version": VERSION,
        "name": name,
        "classes": list(classes),
        "image_size": list(splits[SPLITS[0]].images.shape[1:]),
        "counts": {split: _counts(splits[split].labels, classes) for split in SPLITS},
        "arrays": {},
        "beside": {},
        "names": {},
        "source": dict(source),
        "left_out": dict(left_out or {}),
        "audit": dict(audit or {}),
    }
    needed = sum(
        array.nbytes
        for raw in splits.values()
        for array in (raw.images, raw.labels, *raw.extras.values(), *raw.beside.values())
    )
    with files.atomic_directory(root, needed) as folder:
        for split in SPLITS:
            raw = splits[split]
            order = row_order(raw)
            own = {"images": raw.images, "labels": raw.labels, **raw.extras}
            for kind, arrays in (("arrays", own), ("beside", raw.beside)):
                for key, array in arrays.items():
                    path = folder / split / f"{key}.npy"
                    files.write_npy(path, array[order])
                    manifest[kind][f"{split}/{key}.npy"] = {
                        "sha256": files.sha256(path),
                        "shape": list(array.shape),
                        "dtype": str(array.dtype),
                    }
            names = "".join(f"{raw.names[row]}\n" for row in order)
            files.write_text(folder / split / "names.txt", names)
            manifest["names"][split] = files.sha256(folder / split / "names.txt")
        files.write_json(folder / MANIFEST, files.sealed(manifest))
        if made_for(root / LANDMARKS, manifest):
            shutil.copytree(root / LANDMARKS, folder / LANDMARKS)
    return load_packed(root)


def _counts(labels: NDArray[np.uint8], classes: Sequence[str]) -> dict[str, Any]:
    per_class = np.bincount(labels, minlength=len(classes)).tolist()
    return {"total": len(labels), "classes": dict(zip(classes, per_class, strict=True))}


def check_splits(splits: Mapping[str, RawSplit], classes: Sequence[str]) -> None:
    """ValueError where the splits do not fit each other or the classes."""
    if set(splits) != set(SPLITS):
        raise ValueError(f"splits are {sorted(splits)}, expected {sorted(SPLITS)}")
    sizes = {raw.images.shape[1:] for raw in splits.values()}
    if len(sizes) != 1 or len(next(iter(sizes))) != 2:
        raise ValueError(f"images have the sizes {sorted(sizes)}, expected one (H, W)")
    for split, raw in splits.items():
        if raw.images.dtype != np.uint8 or raw.labels.dtype != np.uint8:
            raise ValueError(f"{split}: images and labels must be uint8")
        lengths = {
            len(raw.images),
            len(raw.labels),
            len(raw.names),
            *map(len, raw.extras.values()),
            *map(len, raw.beside.values()),
        }
        if lengths != {len(raw)} or not (len(raw) or (split != "test" and not len(splits["train"]))):
            raise ValueError(f"{split}: arrays and names have the lengths {sorted(lengths)}")
        if len(raw) and raw.labels.max() >= len(classes):
            raise ValueError(f"{split}: label {raw.labels.max()}, expected less than {len(classes)}")
        if {"images", "labels"} & {*raw.extras, *raw.beside} or set(raw.extras) & set(raw.beside):
            raise ValueError(f"{split}: an array beside the images may not have the name of another")
        if any("\n" in name or "\r" in name for name in raw.names):
            raise ValueError(f"{split}: a name may not hold a line break")
