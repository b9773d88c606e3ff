"""Opens packed data, and says what is wrong with those that are not whole."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb import files
from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.packed.commands import preparing
from fer_perturb.data.packed.format import MANIFEST, UNMASKED, VERSION, VOTES, mapped, require_hash
from fer_perturb.data.packed.packed_data import PackedData
from fer_perturb.data.packed.placed_landmarks import landmarks_of
from fer_perturb.data.packed.split import Split
from fer_perturb.errors import UserError


def load_packed(root: Path, kind: str | None = None) -> PackedData:
    """Opens `root` = data/<dataset>; images are memory-mapped. kind: the dataset= by which they are prepared, if known.

    Every array is compared with its sha256 in the manifest, which takes some 50 ms for FER2013's 83 MB, once in a
    process (`files.sha256`). Raises UserError, saying which command prepares the data, where it is not there, not whole
    (a file is missing or damaged) or of another version of the format.
    """
    advice = f"Prepare it with: {preparing(root, kind)}"
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
            require_hash(root, name, facts["sha256"])
            array = mapped(root / name)
            if list(array.shape) != facts["shape"] or str(array.dtype) != facts["dtype"]:
                raise ValueError(
                    f"{name} is {array.dtype} {list(array.shape)}, "
                    f"expected {facts['dtype']} {facts['shape']} by {MANIFEST}"
                )
    total = manifest["counts"][split]["total"]
    images: NDArray[np.uint8] = mapped(root / split / "images.npy")
    labels: NDArray[np.uint8] = np.load(root / split / "labels.npy", allow_pickle=False)
    labels.setflags(write=False)
    # not splitlines(): a name may hold other characters that it takes for the end of a line
    if known := manifest.get("names"):  # older ones do not tell
        require_hash(root, f"{split}/names.txt", known[split])
    names = (root / split / "names.txt").read_text(encoding="utf-8").split("\n")[:-1]
    for what, count in (("images.npy", len(images)), ("labels.npy", len(labels)), ("names.txt", len(names))):
        if count != total:
            raise ValueError(f"{split}/{what} has {count} rows, expected {total} by {MANIFEST}")
    unmasked = mapped(root / split / f"{UNMASKED}.npy") if f"{split}/{UNMASKED}.npy" in manifest["arrays"] else None
    votes = mapped(root / split / f"{VOTES}.npy") if f"{split}/{VOTES}.npy" in beside else None
    if votes is not None and votes.shape != (total, 10):
        raise ValueError(f"{split}/{VOTES}.npy is {list(votes.shape)}, expected {[total, 10]}")
    landmarks, placed = landmarks_of(root, split, manifest, total)
    return Split(images, labels, names, landmarks=landmarks, unmasked=unmasked, votes=votes, placed=placed)
