"""A prepared dataset, and what it is without some faces or with a part of each hidden."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.packed.commands import placing_landmarks
from fer_perturb.data.packed.format import LANDMARKS, MANIFEST, VOTES, mapped
from fer_perturb.data.packed.split import Split
from fer_perturb.errors import UserError

if TYPE_CHECKING:  # it imports torch, which reading and packing do without
    from fer_perturb.data.occlusion.occluder import Occluder


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
        return mapped(self.root / split / f"{name}.npy")
