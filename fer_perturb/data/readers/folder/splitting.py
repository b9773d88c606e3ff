"""Images into splits: stratified, seeded, and never through what belongs together."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fer_perturb.errors import UserError


@dataclass(frozen=True)
class Splitting:
    """How a dataset that has no val, or no splits, gets them: the keys of conf/preparing/folder.yaml.

    val_share: the share of training that becomes val. shares: of train, val and test, of data without splits. group: a
    regular expression; pictures in whose name it finds the same text (a person's number, say) stay together.
    """

    val_share: float | None = None
    shares: Sequence[float] | None = None
    group: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises UserError for values that cannot work."""
        if not isinstance(self.val_share, int | float | None):
            raise UserError(f"dataset.val_share={self.val_share}: expected a share, such as 0.1.")
        if self.shares is not None and not _are_three(self.shares):
            raise UserError(
                f"dataset.split={self.shares}: expected three shares, of train, val and test, such as [0.8,0.1,0.1]."
            )
        if not isinstance(self.seed, int) or self.seed < 0:
            raise UserError(f"dataset.split_seed={self.seed}: expected a whole number, 0 or more.")
        if self.val_share is not None and not 0 < self.val_share < 1:
            raise UserError(f"dataset.val_share={self.val_share}: expected a share above 0 and below 1, such as 0.1.")
        if self.shares is not None and (min(self.shares) <= 0 or not abs(sum(self.shares) - 1) <= 1e-6):
            raise UserError(
                f"dataset.split={list(self.shares)}: expected the shares of train, val and test, which add up to 1, "
                "such as [0.8,0.1,0.1]."
            )
        if self.group is not None:
            try:
                re.compile(str(self.group))  # Hydra reads 1 as a number
            except re.error as error:
                raise UserError(f"dataset.group={self.group} is no regular expression: {error}.") from error

    def group_of(self, name: str) -> str | None:
        """The text that `group` finds in a picture's name: its first parentheses, or all that it matches."""
        found = re.search(str(self.group), name) if self.group else None
        return found[found.re.groups and 1] if found else None


def _are_three(shares: object) -> bool:
    return isinstance(shares, list | tuple) and len(shares) == 3 and all(isinstance(of, int | float) for of in shares)


def together(count: int, pairs: NDArray[np.int64], names: Sequence[str | None]) -> NDArray[np.int64]:
    """(count,) int64: the number of the group of each image, of those joined by `pairs` (P, 2) or an equal name."""
    first = {name: row for row, name in reversed(list(enumerate(names))) if name is not None}
    named = [(first[name], row) for row, name in enumerate(names) if name is not None]
    edges = np.concatenate([pairs.reshape(-1, 2), np.array(named, dtype=np.int64).reshape(-1, 2)])
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    groups: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return groups


def split_rows(
    labels: NDArray[np.uint8], groups: NDArray[np.int64], shares: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """(N,) int64: the part of each image, 0 for shares[0] and so on; a group is in one part.

    Each class is divided by `shares`, to the image where every group is one image. The largest groups are placed
    first, in an order that `seed` draws, each where most of its images' classes lack.
    """
    classes, sizes = int(labels.max()) + 1, np.bincount(groups)
    members = np.zeros((len(sizes), classes))
    np.add.at(members, (groups, labels), 1)
    lacking = np.outer(shares, members.sum(axis=0))  # (parts, classes)
    order = np.random.default_rng(seed).permutation(len(sizes))
    part = np.zeros(len(sizes), dtype=np.int64)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        part[group] = np.argmax((lacking * (members[group] > 0)) @ members[group])
        lacking[part[group]] -= members[group]
    return part[groups]


def is_whole(part: NDArray[np.int64], labels: NDArray[np.uint8], parts: int) -> bool:
    """Whether each of that many parts has images, and the first one all classes."""
    return len(np.unique(part)) == parts and len(np.unique(labels[part == 0])) == len(np.unique(labels))


def nearest_shares(
    labels: NDArray[np.uint8], groups: NDArray[np.int64], shares: Sequence[float], seed: int
) -> tuple[float, ...] | None:
    """The shares, in twentieths, nearest to `shares`, by which `split_rows` makes whole parts; None if none do."""
    rest = product(range(1, 20), repeat=len(shares) - 1)
    tried = [(1 - sum(of) / 20, *(share / 20 for share in of)) for of in rest if sum(of) < 20]
    for near in sorted(tried, key=lambda of: np.abs(np.subtract(of, shares)).sum()):
        if is_whole(split_rows(labels, groups, near, seed), labels, len(shares)):
            return near
    return None
