"""Packed data: one memory-mapped uint8 array per split, and a manifest that says what it is.

    data/<dataset>/manifest.json
    data/<dataset>/{train,val,test}/images.npy   (N, H, W) uint8, grey, 0 = black
                                    labels.npy   (N,) uint8, index into the manifest's classes
                                    names.txt    N lines
                                    <extra>.npy  what else a dataset knows of each image, (N, ...)
                                    votes.npy    of FER2013, (N, 10) uint8: FER+'s votes (ferplus.py)

Rows are sorted by (sha256 of the pixels, label, name), so that the same pixels give the same arrays, byte
for byte, whatever form they were read from. The sha256 of the pixels is an image's identity everywhere.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb import files
from fer_perturb.data.commands import placing_landmarks, preparing
from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.file_names import is_litter
from fer_perturb.errors import UserError

if TYPE_CHECKING:  # it imports torch, which reading and packing do without
    from fer_perturb.data.occluders import Occluder

VERSION = 1  # of the format; data of another version is prepared again
MANIFEST = "manifest.json"
LANDMARKS = "landmarks"  # the extra array of known ones, or the folder of those placed later (landmarks.py)
LANDMARKS_VERSION = 1  # raise it when the same images would get other landmarks
UNREST = 0.2  # the most that a face's landmarks may move (face_predictor.py); a face above it is not placed
VOTES = "votes"  # the array beside FER2013's own; what lies beside has no part in what the data are
UNMASKED = "unmasked"  # the extra array that says which picture each of MaskFer's was
OWN = re.compile(rf"{MANIFEST}|({'|'.join(SPLITS)})/([^/]+\.npy|names\.txt)|{LANDMARKS}/({MANIFEST}|[^/]+\.npy)")


@dataclass(frozen=True, eq=False)
class RawSplit:
    """One split as a reader gives it, in any order of rows.

    images: (N, H, W) uint8. labels: (N,) uint8. names: N, without line breaks.
    extras: further arrays by name, (N, ...), packed beside the images in the same order of rows. beside: such ones as
    do not change what the data are (`PackedData.identity`).
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    names: list[str]
    extras: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    beside: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Split:
    """One split as it lies on disk, or some of its rows.

    images: (N, H, W) uint8, memory-mapped, read-only. labels: (N,) uint8. landmarks: float (N, 68, 2), x and y in
    pixels of iBUG's 68 points, memory-mapped; None where the dataset has none that belong to its images. occluder: what
    hides a part of each face in the batches that are cut from it; the arrays here are whole. unmasked: of MaskFer, (N,)
    "S64", the identities of the pictures that its masks were drawn on. votes: (N, 10) uint8, FER+'s, of data that have
    them. placed: (N,), which faces landmarks were placed on; None: on all, as far as is known.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    names: list[str]
    landmarks: NDArray[np.floating[Any]] | None = None
    occluder: "Occluder | None" = None
    unmasked: NDArray[np.bytes_] | None = None
    votes: NDArray[np.uint8] | None = None
    placed: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: NDArray[np.int64]) -> "Split":
        """Some of its rows, in memory."""
        perhaps = {name: getattr(self, name) for name in ("landmarks", "unmasked", "votes", "placed")}
        return replace(
            self,
            images=self.images[chosen],
            labels=self.labels[chosen],
            names=[self.names[row] for row in chosen],
            **{name: None if array is None else array[chosen] for name, array in perhaps.items()},
        )

    def identities(self) -> NDArray[np.bytes_]:
        """(N,) of 64 hex digits ("S64"): the sha256 of each image's pixels, of MaskFer's before they were masked.

        Reads every image once.
        """
        return image_identities(self.images) if self.unmasked is None else self.unmasked


@dataclass(frozen=True, eq=False)
class PackedData:
    """A prepared dataset: `root` = data/<dataset>, `splits` by name (train, val, test)."""

    root: Path
    name: str
    classes: tuple[str, ...]
    splits: dict[str, Split]
    manifest: dict[str, Any]
    changed_by: dict[str, Any] = field(default_factory=dict)  # what was done to the arrays on disk

    @property
    def image_size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        height, width = self.manifest["image_size"]
        return height, width

    @property
    def landmarks_identity(self) -> dict[str, str]:
        """File -> sha256, of the landmarks that `splits` hold; empty where there are none."""
        if any(split.landmarks is None for split in self.splits.values()):
            return {}
        arrays = self.manifest["arrays"].items()
        known = {name: of["sha256"] for name, of in arrays if name.endswith(f"/{LANDMARKS}.npy")}
        placed: dict[str, str] = known or json.loads((self.root / LANDMARKS / MANIFEST).read_text())["arrays"]
        return placed

    @property
    def votes_identity(self) -> dict[str, str]:
        """File -> sha256, of FER+'s votes; empty where there are none."""
        beside = self.manifest.get("beside", {}).items()  # older ones do not say
        return {name: of["sha256"] for name, of in beside if name.endswith(f"/{VOTES}.npy")}

    @property
    def identity(self) -> dict[str, Any]:
        """What the data are, wherever they lie and whatever form they came in."""
        names = "\n".join(name for split in self.splits.values() for name in split.names)
        own = {
            "name": self.name,
            "classes": list(self.classes),
            "arrays": {name: array["sha256"] for name, array in self.manifest["arrays"].items()},
            "names": hashlib.sha256(names.encode()).hexdigest(),
        }
        return own | self.changed_by

    def occluded(self, occluder: "Occluder | None") -> "PackedData":
        """The same data with a part of each face hidden, under the name <dataset>+<occluder>@<coverage>.

        Raises UserError where there are no landmarks to tell the parts by.
        """
        if occluder is None:
            return self
        self.require_landmarks(f"The occluder {occluder.name}")
        splits = {name: replace(split, occluder=occluder) for name, split in self.splits.items()}
        by = {"occluder": [occluder.name, occluder.version], "landmarks": self.landmarks_identity}
        return replace(self, name=f"{self.name}+{occluder.name}", splits=splits, changed_by=self.changed_by | by)

    def without_unplaced(self) -> "PackedData":
        """The same data without the faces that landmarks could not be placed on; the other images come into memory.

        Raises UserError where there are no landmarks, or a split would be empty.
        """
        self.require_landmarks("dataset.unplaced=drop")
        placed = {name: self.placed(name) for name in self.splits}
        if all(of.all() for of in placed.values()):
            return self
        for name, of in placed.items():
            if not of.any():
                raise UserError(
                    f"dataset.unplaced=drop leaves nothing of {self.root / name}: no face was placed there."
                )
        splits = {name: split.rows(np.flatnonzero(placed[name])) for name, split in self.splits.items()}
        by = {"unplaced": "drop", "landmarks": self.landmarks_identity}
        return replace(self, splits=splits, changed_by=self.changed_by | by)

    def placed(self, split: str) -> NDArray[np.bool_]:
        """(N,): which faces of a split the landmarks were found on; the others have the mean shape."""
        of = self.splits[split]
        return np.ones(len(of), dtype=np.bool_) if of.placed is None else of.placed

    def require_landmarks(self, asked: str) -> None:
        """UserError, beginning with who `asked`, where there are no landmarks, or only those of other images."""
        if any(split.landmarks is None for split in self.splits.values()):
            stale = (self.root / LANDMARKS).exists()
            stale_ones = f"those in {self.root / LANDMARKS} are damaged, or of other images (the hash differs)"
            what = stale_ones if stale else f"{self.root} has none"
            raise UserError(f"{asked} needs landmarks, and {what}. Place them with: {placing_landmarks(self.root)}")

    def extra(self, split: str, name: str) -> NDArray[Any]:
        """The extra array `name` of a split, (N, ...), memory-mapped; KeyError if there is none."""
        if f"{split}/{name}.npy" not in self.manifest["arrays"]:
            raise KeyError(f"{self.root / split} holds no array named {name}")
        return _mapped(self.root / split / f"{name}.npy")


def image_hashes(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Split -> sha256 of its images.npy."""
    return {split: manifest["arrays"][f"{split}/images.npy"]["sha256"] for split in SPLITS}


def image_identities(images: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """images (N, H, W) uint8 -> (N,) "S64": the hex sha256 of each image's pixels, row by row."""
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    return np.array(digests, dtype="S64")


def row_order(split: RawSplit) -> NDArray[np.int64]:
    """(N,): the rows in the contract's order, by (sha256 of the pixels, label, name)."""
    keys = list(zip(image_identities(split.images), split.labels.tolist(), split.names, strict=True))
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


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
    _check(splits, classes)
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
        if _made_for(root / LANDMARKS, manifest):
            shutil.copytree(root / LANDMARKS, folder / LANDMARKS)
    return load_packed(root)


def require_own(root: Path) -> None:
    """UserError where `root` holds what no packed data do, people's own pictures say, which packing would remove.

    Packed data are known by the names of their files: they may be damaged, or lack their manifest.
    """
    there = root.rglob("*") if root.is_dir() else [root] if root.is_file() and root.stat().st_size else []
    for path in there:
        name = path.relative_to(root)
        ours = OWN.fullmatch(name.as_posix()) or is_litter(name) or name.name.endswith(files.PARTIAL)
        if not ours and (path.is_symlink() or not path.is_dir()):
            raise UserError(
                f"{path} is no packed data, and packing into {root} would remove it. Move {root} elsewhere (and give "
                "its new place, if it is the source=), or give another dataset.name."
            )


def load_packed(root: Path) -> PackedData:
    """Opens `root` = data/<dataset>; images are memory-mapped.

    Every array is compared with its sha256 in the manifest, which takes some 50 ms for FER2013's 83 MB, once in a
    process (`files.sha256`). Raises UserError, saying which command prepares the data, where it is not there, not whole
    (a file is missing or damaged) or of another version of the format.
    """
    advice = f"Prepare it with: {preparing(root)}"
    path = root / MANIFEST
    if not path.is_file():
        raise UserError(f"No prepared data at {root} (there is no {MANIFEST}). {advice}")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["version"]
        if version != VERSION:
            raise UserError(f"{path} has version {version}, expected {VERSION}. {advice}")
        if not files.unbroken(manifest):
            raise ValueError(f"{MANIFEST} is damaged: its checksum differs")
        return PackedData(
            root=root,
            name=root.name,
            classes=tuple(manifest["classes"]),
            splits={split: _load_split(root, split, manifest) for split in SPLITS},
            manifest=manifest,
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise UserError(f"The data at {root} is not whole: {error}. {advice}") from error


def _load_split(root: Path, split: str, manifest: dict[str, Any]) -> Split:
    prefix = f"{split}/"
    beside = manifest.get("beside", {})  # older ones do not tell
    for name, facts in {**manifest["arrays"], **beside}.items():
        if name.startswith(prefix):
            _require_hash(root, name, facts["sha256"])
            array = _mapped(root / name)
            if list(array.shape) != facts["shape"] or str(array.dtype) != facts["dtype"]:
                raise ValueError(
                    f"{name} is {array.dtype} {list(array.shape)}, "
                    f"expected {facts['dtype']} {facts['shape']} by {MANIFEST}"
                )
    total = manifest["counts"][split]["total"]
    images: NDArray[np.uint8] = _mapped(root / split / "images.npy")
    labels: NDArray[np.uint8] = np.load(root / split / "labels.npy", allow_pickle=False)
    labels.setflags(write=False)
    # not splitlines(): a name may hold other characters that it takes for the end of a line
    if known := manifest.get("names"):  # older ones do not tell
        _require_hash(root, f"{split}/names.txt", known[split])
    names = (root / split / "names.txt").read_text(encoding="utf-8").split("\n")[:-1]
    for what, count in (("images.npy", len(images)), ("labels.npy", len(labels)), ("names.txt", len(names))):
        if count != total:
            raise ValueError(f"{split}/{what} has {count} rows, expected {total} by {MANIFEST}")
    unmasked = _mapped(root / split / f"{UNMASKED}.npy") if f"{split}/{UNMASKED}.npy" in manifest["arrays"] else None
    votes = _mapped(root / split / f"{VOTES}.npy") if f"{split}/{VOTES}.npy" in beside else None
    if votes is not None and votes.shape != (total, 10):
        raise ValueError(f"{split}/{VOTES}.npy is {list(votes.shape)}, expected {[total, 10]}")
    landmarks, placed = _landmarks(root, split, manifest, total)
    return Split(images, labels, names, landmarks=landmarks, unmasked=unmasked, votes=votes, placed=placed)


def _require_hash(root: Path, name: str, expected: str) -> None:
    if files.sha256(root / name) != expected:
        raise ValueError(f"{name} is damaged: its sha256 is not the one in {MANIFEST}")


def landmarks_made_by(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the landmarks that are placed on a dataset's images."""
    return {"version": LANDMARKS_VERSION, "most_unrest": UNREST, "images": image_hashes(manifest)}


def _made_for(folder: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether the landmarks in `folder` were placed on these images."""
    try:
        made_by: Any = json.loads((folder / MANIFEST).read_text())["made_by"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(made_by == landmarks_made_by(manifest))


def _landmarks(
    root: Path, split: str, manifest: dict[str, Any], count: int
) -> tuple[NDArray[np.floating[Any]] | None, NDArray[np.bool_] | None]:
    """Known ones, or those that were placed on these very images, whole, and where; not those of others."""
    known = f"{split}/{LANDMARKS}.npy"
    if known in manifest["arrays"]:
        return _mapped(root / known), None
    if not _made_for(root / LANDMARKS, manifest):
        return None, None
    try:
        placed = json.loads((root / LANDMARKS / MANIFEST).read_text())["arrays"]
        for name in (f"{split}.npy", f"{split}_unrest.npy"):
            _require_hash(root / LANDMARKS, name, placed[name])
        points = _mapped(root / LANDMARKS / f"{split}.npy")
        placed = np.load(root / LANDMARKS / f"{split}_unrest.npy", allow_pickle=False) <= np.float16(UNREST)
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return None, None
    return (points, placed) if points.shape == (count, 68, 2) and len(placed) == count else (None, None)


def _mapped(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:  # without rows there is nothing to map
        array = np.load(path, allow_pickle=False)
    return array


def _counts(labels: NDArray[np.uint8], classes: Sequence[str]) -> dict[str, Any]:
    per_class = np.bincount(labels, minlength=len(classes)).tolist()
    return {"total": len(labels), "classes": dict(zip(classes, per_class, strict=True))}


def _check(splits: Mapping[str, RawSplit], classes: Sequence[str]) -> None:
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
