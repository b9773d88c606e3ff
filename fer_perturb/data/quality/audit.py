"""What is wrong with a dataset: duplicates, leaks between splits, conflicting labels, constant images."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from rich.table import Table

from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.packed import RawSplit
from fer_perturb.data.packed.split import image_identities
from fer_perturb.data.quality.near_duplicates import LIMIT, METHOD, NearPairs, near_duplicates


@dataclass(frozen=True)
class Across:
    """What two splits share, by the exact pixels."""

    groups: int  # distinct images that stand in both
    images: int  # images of the second split that also stand in the first


@dataclass(frozen=True)
class Near:
    """Near-duplicates among the distinct images."""

    pairs: int
    images: int  # distinct images in any of the pairs
    across: dict[str, int]  # "train/val": distinct images of val with a near-duplicate in train; and so on


@dataclass(frozen=True)
class Audit:
    """The numbers that preparing a dataset prints and its manifest keeps; a group is a set of equal images."""

    images: int
    distinct: int
    counts: dict[str, dict[str, int]]  # split -> class -> images
    duplicate_groups: int  # groups of two and more
    duplicate_images: int  # images in these groups
    groups_across_splits: int
    across: dict[str, Across]  # "train/val", "train/test", "val/test"
    conflicting_groups: int  # groups whose images carry different labels
    constant_images: int  # all pixels equal
    near_method: str
    shifted: Near | None  # None: more than LIMIT distinct images, not looked for
    mirrored: Near | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def audit(splits: Mapping[str, RawSplit], classes: Sequence[str], progress: Progress) -> Audit:
    """Audits the three splits; near-duplicates by the method of near_duplicates.py."""
    identities = np.concatenate([image_identities(splits[split].images) for split in SPLITS])
    labels = np.concatenate([splits[split].labels for split in SPLITS])
    origin = np.repeat(np.arange(len(SPLITS)), [len(splits[split]) for split in SPLITS])
    _, first, group, sizes = np.unique(identities, return_index=True, return_inverse=True, return_counts=True)
    in_split = np.zeros((len(sizes), len(SPLITS)), dtype=np.int64)  # images of each group in each split
    np.add.at(in_split, (group, origin), 1)
    has_label = np.zeros((len(sizes), len(classes)), dtype=np.bool_)
    has_label[group, labels] = True
    present = in_split > 0
    pairs: NearPairs | None = None
    if len(sizes) <= LIMIT:
        pairs = near_duplicates(_images(splits, first), progress)
    return Audit(
        images=len(labels),
        distinct=len(sizes),
        counts={
            split: dict(zip(classes, np.bincount(raw.labels, minlength=len(classes)).tolist(), strict=True))
            for split, raw in ((split, splits[split]) for split in SPLITS)
        },
        duplicate_groups=int((sizes > 1).sum()),
        duplicate_images=int(sizes[sizes > 1].sum()),
        groups_across_splits=int((present.sum(axis=1) > 1).sum()),
        across={
            f"{SPLITS[a]}/{SPLITS[b]}": Across(
                groups=int((present[:, a] & present[:, b]).sum()),
                images=int(in_split[present[:, a], b].sum()),
            )
            for a, b in combinations(range(len(SPLITS)), 2)
        },
        conflicting_groups=int((has_label.sum(axis=1) > 1).sum()),
        constant_images=sum(int(is_constant(splits[split].images).sum()) for split in SPLITS),
        near_method=METHOD,
        shifted=_near(pairs.shifted, present) if pairs else None,
        mirrored=_near(pairs.mirrored, present) if pairs else None,
    )


def is_constant(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """images (N, H, W) uint8 -> (N,): whether all pixels are equal."""
    constant: NDArray[np.bool_] = images.min(axis=(1, 2)) == images.max(axis=(1, 2))
    return constant


def audit_table(found: Audit) -> Table:
    """The audit as a small table for rich; of what was not found at all, no details."""
    table = Table(title="Audit", show_header=False)
    table.add_column("what")
    table.add_column("number", justify="right")
    rows: list[tuple[str, int | None]] = [
        *((f"images in {split}", sum(counts.values())) for split, counts in found.counts.items()),
        ("distinct images", found.distinct),
        ("groups of exact duplicates", found.duplicate_groups),
        ("images in these groups", found.duplicate_images),
        ("groups that span splits", found.groups_across_splits),
    ]
    for names, shared in found.across.items() if found.groups_across_splits else ():
        a, b = names.split("/")
        rows.append((f"groups in both {a} and {b}", shared.groups))
        rows.append((f"images of {b} that also stand in {a}", shared.images))
    rows.append(("groups with conflicting labels", found.conflicting_groups))
    rows.append(("constant images", found.constant_images))
    for kind, near in (("shifted or re-compressed", found.shifted), ("mirrored", found.mirrored)):
        rows.append((f"near-duplicate pairs, {kind}", near.pairs if near else None))
        for names, count in near.across.items() if near and near.pairs else ():
            a, b = names.split("/")
            rows.append((f"  images of {b} with such a partner in {a}", count))
    for what, number in rows:
        table.add_row(what, "not looked for" if number is None else f"{number:,}")
    return table


def _images(splits: Mapping[str, RawSplit], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The images at `rows`, counted through train, val and test, without holding all of them once more."""
    shape = splits[SPLITS[0]].images.shape[1:]
    chosen = np.empty((len(rows), *shape), dtype=np.uint8)
    start = 0
    for split in SPLITS:
        images = splits[split].images
        here = (rows >= start) & (rows < start + len(images))
        chosen[here] = images[rows[here] - start]
        start += len(images)
    return chosen


def _near(pairs: NDArray[np.int64], present: NDArray[np.bool_]) -> Near:
    both_ways = np.concatenate([pairs, pairs[:, ::-1]])
    across = {}
    for a, b in combinations(range(len(SPLITS)), 2):
        leaking = both_ways[present[both_ways[:, 0], a] & present[both_ways[:, 1], b]]
        across[f"{SPLITS[a]}/{SPLITS[b]}"] = len(np.unique(leaking[:, 1]))
    return Near(pairs=len(pairs), images=len(np.unique(pairs)), across=across)
