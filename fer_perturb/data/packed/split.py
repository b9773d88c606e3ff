"""One split of a dataset: as a reader gives it, and as it lies on disk."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # it imports torch, which reading and packing do without
    from fer_perturb.data.occlusion.occluder import Occluder


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


def image_identities(images: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """images (N, H, W) uint8 -> (N,) "S64": the hex sha256 of each image's pixels, row by row."""
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    return np.array(digests, dtype="S64")


def row_order(split: RawSplit) -> NDArray[np.int64]:
    """(N,): the rows in the contract's order, by (sha256 of the pixels, label, name)."""
    keys = list(zip(image_identities(split.images), split.labels.tolist(), split.names, strict=True))
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
