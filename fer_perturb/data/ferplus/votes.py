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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.csv_table import opened_csv, whole_rows
from fer_perturb.data.emotions import SPLITS, USAGES
from fer_perturb.data.ferplus.labels import agreement
from fer_perturb.data.packed import RawSplit
from fer_perturb.data.packed.split import image_identities
from fer_perturb.errors import UserError
from fer_perturb.files import sha256

COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
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
