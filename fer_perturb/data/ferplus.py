"""FER+: ten people's votes on each image of FER2013, joined to every form of it.

The votes (Barsoum et al. 2016, https://github.com/microsoft/FERPlus, MIT licence: ferplus_LICENSE.txt) come with the
package, in ferplus_votes.npz. It has a row for each row of FER2013's csv:

    votes       (35887, 10) uint8: how many voted for each of COLUMNS; 0 for the 177 images that have none
    splits      (35887,) uint8: 0 train, 1 val, 2 test
    identities  (35887,) uint64: the first 16 hex digits of the sha256 of the pixels in the form of pictures; 0: none

The csv forms are joined by row; the pictures, whose names tell no row, by their pixels.
"""

import csv
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.csv_table import opened_csv, whole_rows
from fer_perturb.data.emotions import EMOTIONS, SPLITS, USAGES
from fer_perturb.data.packed import PackedData, RawSplit, image_identities
from fer_perturb.errors import UserError
from fer_perturb.files import sha256

VERSION = 1  # of the rule in `plurality`
COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
CLASSES = (*EMOTIONS, "contempt")  # FER2013's own seven come first, so that labels mean the same
OF_COLUMN = (6, 3, 5, 4, 0, 1, 2, 7)  # the class of each column that is one
SHIPPED = Path(__file__).with_name("ferplus_votes.npz")
ROW = re.compile(r"row([0-9]+)")  # the name of an image of a csv
ALIKE, ENOUGH = 0.4, 100  # the votes' plurality is FER2013's label in 67 %; of rows in another order in some 20 %


@dataclass(frozen=True, eq=False)
class Votes:
    """votes: (R, 10) uint8, in the order of FER2013's csv. splits: (R,) uint8, index into SPLITS. path: their file."""

    votes: NDArray[np.uint8]
    splits: NDArray[np.uint8]
    path: Path

    @property
    def source(self) -> dict[str, str]:
        """What the manifest keeps of them."""
        return {"file": self.path.name, "sha256": sha256(self.path)}


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


def shipped_votes() -> Votes:
    """Those that come with the package."""
    with np.load(SHIPPED, allow_pickle=False) as arrays:
        return Votes(arrays["votes"], arrays["splits"], SHIPPED)


def has_votes(header: Sequence[str]) -> bool:
    """Whether the columns of a csv are FER+'s, or hold them."""
    return {column.lower() for column in COLUMNS} <= {column.lower() for column in header}


def read_votes(path: Path) -> Votes:
    """FER+'s own fer2013new.csv, with the columns Usage and COLUMNS, its rows in the order of FER2013's csv.

    Raises UserError naming the file, column or row.
    """
    wanted = f"expected FER+'s fer2013new.csv, with the columns Usage, {', '.join(COLUMNS)}"
    votes: list[list[int]] = []
    splits: list[int] = []
    try:
        with path.open("rb") as file, opened_csv(file) as (header, rows):
            columns = [name.lower() for name in header]
            if missing := [name for name in ("Usage", *COLUMNS) if name.lower() not in columns]:
                raise UserError(f"votes={path} lacks the column {', '.join(missing)}; {wanted}.")
            usage_at, *vote_at = (columns.index(name.lower()) for name in ("Usage", *COLUMNS))
            for where, row in whole_rows(rows, len(columns), f"votes={path}"):
                if row[usage_at].strip() not in USAGES:
                    raise UserError(f"{where} has the Usage {row[usage_at]!r}, expected one of {', '.join(USAGES)}.")
                splits.append(SPLITS.index(USAGES[row[usage_at].strip()]))
                votes.append([_vote(row[at], where) for at in vote_at])
    except (OSError, EOFError, UnicodeError, csv.Error, zlib.error) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(f"votes={path} cannot be read ({told}); {wanted}.") from error
    if not votes:
        raise UserError(f"votes={path} has a header, but no row; {wanted}.")
    return Votes(np.array(votes, dtype=np.uint8), np.array(splits, dtype=np.uint8), path)


def _vote(text: str, where: str) -> int:
    count = re.sub(r"\.0+$", "", text.strip())  # a join in pandas makes 3.0 of 3
    if not re.fullmatch(r"[0-9]{1,2}", count):
        raise UserError(f"{where} has the vote {text!r}, expected how many people voted, 0 to 99.")
    return int(count)


def joined(splits: Mapping[str, RawSplit], votes: Votes) -> dict[str, NDArray[np.uint8]]:
    """Split -> (N, 10) uint8, the votes on each image; 0 where there are none.

    splits: FER2013 as any of its forms is read (fer2013.py). Raises UserError where no image can be joined, and where
    what the votes say is too far from the labels for rows in the same order.
    """
    rows = _rows(splits, votes)
    found = {split: np.where(of[:, None] >= 0, votes.votes[of], 0).astype(np.uint8) for split, of in rows.items()}
    if not any(of.any() for of in found.values()):
        raise UserError(f"{votes.path.name}: none of its votes belongs to these images.")
    said = agreement(np.concatenate(list(found.values())), np.concatenate([splits[split].labels for split in found]))
    if said.decided >= ENOUGH and said.plurality < ALIKE:
        raise UserError(
            f"{votes.path.name}: the plurality of its votes is the label of only {100 * said.plurality:.0f} % of these "
            "images, and of 67 % in FER2013. Expected the rows of both in the same order."
        )
    return found


def _rows(splits: Mapping[str, RawSplit], votes: Votes) -> dict[str, NDArray[np.int64]]:
    """Split -> (N,): each image's row in FER2013's csv, -1 where it is not known. Raises UserError."""
    numbers = {split: [ROW.fullmatch(name) for name in of.names] for split, of in splits.items()}
    if all(found for of in numbers.values() for found in of):
        rows = {split: np.array([int(found[1]) - 1 for found in of if found]) for split, of in numbers.items()}
        expected = np.full(sum(map(len, rows.values())), len(SPLITS))
        for split, of in rows.items():
            expected[of] = SPLITS.index(split)
        _require_order(votes, expected, "these images")
        return rows
    with np.load(SHIPPED, allow_pickle=False) as arrays:
        identities, order = arrays["identities"], arrays["splits"]
    _require_order(votes, order, "FER2013's csv")
    known, first = np.unique(identities, return_index=True)  # the same pixels have the same votes
    rows = {}
    for split, raw in splits.items():
        own = np.array([int(identity[:16], 16) for identity in image_identities(raw.images)], dtype=np.uint64)
        place = np.searchsorted(known, own).clip(max=len(known) - 1)
        rows[split] = np.where(known[place] == own, first[place], -1)
    return rows


def _require_order(votes: Votes, splits: NDArray[np.integer], of: str) -> None:
    if not np.array_equal(votes.splits, splits):
        raise UserError(
            f"{votes.path.name} has {len(votes.splits):,} rows, which are not those of {of} ({len(splits):,}). "
            "Expected a row of votes for each, with the same Usage, in the same order."
        )


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
