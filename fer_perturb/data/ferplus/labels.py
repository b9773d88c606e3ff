"""What FER+'s votes say: the label that most gave, and how far a dataset's own labels agree with it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.data.packed import PackedData
from fer_perturb.errors import UserError

VERSION = 1  # of the rule in `plurality`
CLASSES = (*EMOTIONS, "contempt")  # FER2013's own seven come first, so that labels mean the same
OF_COLUMN = (6, 3, 5, 4, 0, 1, 2, 7)  # of the columns of votes (votes.COLUMNS) that are one, the class


@dataclass(frozen=True)
class Agreement:
    """What votes say of the labels of as many `images` as have any; shares in [0, 1].

    voter: a voter, drawn at random, gives the label. nobody: no voter does. plurality: the plurality is the label, of
    the images that have one (`decided`).
    """

    images: int
    voter: float
    nobody: float
    decided: int
    plurality: float


def plurality(votes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """votes (N, 10) -> (N,): what most voted for, as an index into CLASSES; -1 where that is nothing.

    FER+'s own rule (the mode "majority" of its src/ferplus.py): single votes are dropped as outliers, and the rest has
    to give one of COLUMNS more than half. Images without such a majority, and those whose majority is unknown or NF
    (no face), have none.
    """
    kept = np.where(votes > 1, votes, 0).astype(np.int64)
    most = kept.argmax(axis=1)
    decided = (2 * kept.max(axis=1) > kept.sum(axis=1)) & (most < len(OF_COLUMN))
    return np.where(decided, np.array([*OF_COLUMN, -1, -1])[most], -1)


def agreement(votes: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Agreement:
    """What votes (N, 10) say of labels (N,), which are indices into CLASSES; NaN where they say nothing."""
    there = votes.any(axis=1)
    votes, labels = votes[there], labels[there]
    own = votes[np.arange(len(votes)), np.argsort(OF_COLUMN)[labels]]
    chosen = plurality(votes)
    decided = chosen >= 0
    with np.errstate(invalid="ignore"):
        voter, nobody = np.divide([(own / votes.sum(axis=1)).sum(), (own == 0).sum()], len(votes))
        alike = np.divide((chosen[decided] == labels[decided]).sum(), decided.sum())
    return Agreement(len(votes), float(voter), float(nobody), int(decided.sum()), float(alike))


def labelled_by_votes(data: PackedData) -> PackedData:
    """`data` with the plurality of its votes as labels, of the eight CLASSES, under the name <dataset>@ferplus.

    The images without a plurality are left out of all splits; the others come into memory. Raises UserError where there
    are no votes, or a split would be empty.
    """
    splits = {}
    for name, split in data.splits.items():
        if split.votes is None:
            raise UserError(
                f"dataset.labels=ferplus needs FER+'s votes, and {data.root} has none. Prepare it again: "
                "python -m fer_perturb.prepare dataset=fer2013 source=PATH"
            )
        chosen = plurality(split.votes)
        rows = np.flatnonzero(chosen >= 0)
        if not len(rows):
            raise UserError(f"dataset.labels=ferplus leaves nothing of {data.root / name}: no image has a plurality.")
        splits[name] = replace(split.rows(rows), labels=chosen[rows].astype(np.uint8))
    by = {"labels": ["ferplus", VERSION], "votes": data.votes_identity}
    return replace(
        data,
        name=f"{data.name}@ferplus",
        classes=CLASSES,
        splits=splits,
        changed_by=data.changed_by | by,
    )
