"""FER2013 in each form in which people have it.

- a zip of pictures, as Kaggle serves it: `train/<emotion>/Training_<digits>.jpg`,
  `test/<emotion>/{PublicTest,PrivateTest}_<digits>.jpg` (or .png);
- that folder, unpacked;
- `fer2013.csv`, with the columns emotion, pixels, Usage;
- `icml_face_data.csv`, with the columns `emotion`, ` Usage`, ` pixels`, leading blanks and all;
- `train.csv`, `val.csv` and `test.csv`, with the columns emotion and pixels;
- any of these inside a folder, a zip or a tar, each csv zipped by gzip or not, in UTF-8 or UTF-16, with any delimiter.

The form is told by looking inside, never by the name. The prefix of a picture's name gives its split, its parent
folder its emotion; rows of a csv are named row<number>, counted from 1 without the header.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from fer_perturb import files
from fer_perturb.data.emotions import EMOTIONS, USAGES
from fer_perturb.data.ferplus.labels import agreement
from fer_perturb.data.ferplus.votes import Votes, joined, read_votes, shipped_votes
from fer_perturb.data.file_names import LITTER, is_litter
from fer_perturb.data.packed import RawSplit
from fer_perturb.data.packed.format import VOTES
from fer_perturb.data.readers.fer2013.pictures import is_picture, read_pictures
from fer_perturb.data.readers.fer2013.source import FORMS, opened_source
from fer_perturb.data.readers.fer2013.tables import COLUMNS, choose_tables, read_tables
from fer_perturb.data.readers.reader import Reading
from fer_perturb.errors import UserError, say, warn

OFFICIAL = {"train": 28_709, "val": 3_589, "test": 3_589}


@dataclass(frozen=True)
class Fer2013Reader:
    """FER2013, with FER+'s votes beside the labels.

    resize: pictures of another size are brought to 48x48. votes: FER+'s own csv; None: those that come with the
    package, for the images that they belong to. Raises UserError for a resize that is neither true nor false.
    """

    resize: bool = False
    votes: str | Path | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.resize, bool):
            raise UserError(
                f"dataset.resize={self.resize} is not usable for dataset=fer2013. "
                f"Expected true (images of another size are brought to 48x48) or false."
            )

    @cached_property
    def _cast(self) -> Votes:
        return shipped_votes() if self.votes is None else read_votes(Path(self.votes))

    def settings(self, source: Path) -> dict[str, Any]:
        """See RecordedReader."""
        settings = {"resize": self.resize, "votes": self._cast.source}
        return {**settings, "sha256": _sha256(source)} if source.is_file() else settings

    def __call__(self, source: Path, progress: Progress) -> Reading:
        """See `read_fer2013`; the votes are said to be missing where none can be joined, unless they were given."""
        read = read_fer2013(source, resize=self.resize, progress=progress)
        return replace(read, splits=_with_votes(read.splits, self._cast, required=self.votes is not None))


def read_fer2013(source: Path, *, resize: bool, progress: Progress) -> Reading:
    """Reads FER2013 from `source`, 48x48 images whatever the form; `progress` shows a bar.

    With `resize` pictures of another size are brought to 48x48. Raises UserError naming file, member or row.
    """
    if not source.exists():
        raise UserError(f"There is nothing at source={source}. Expected {FORMS}.")
    with opened_source(source) as (pictures, tables, container):
        left_out = {}
        own = [picture for picture in pictures if not is_litter(picture.path)]
        tables = [table for table in tables if not is_litter(table.path)]
        if len(pictures) > len(own):
            left_out[LITTER] = len(pictures) - len(own)
        chosen = [picture for picture in own if is_picture(picture.path)]
        if chosen:
            splits = read_pictures(chosen, resize=resize, progress=progress)
            if len(own) > len(chosen):
                left_out["name is not <prefix>_<digits>.jpg, .png or the like"] = len(own) - len(chosen)
            form = f"{container} of pictures"
        else:
            by_split, columns = choose_tables(tables, source, container)
            splits = read_tables(by_split, progress=progress)
            kind = "fer2013.csv" if columns == COLUMNS else "icml_face_data.csv"
            kind = "train.csv, val.csv and test.csv" if None not in by_split else kind
            form = kind if container == "csv" else f"{kind} in a {container}"
    for usage, split in USAGES.items():
        if not len(splits[split]):
            found = ", ".join(f"{name}: {len(splits[key])}" for name, key in USAGES.items())
            raise UserError(
                f"{source} has no {usage} images, so the {split} split is missing (found {found}). Expected all three, "
                "in one source."
            )
    _say_what_is_missing(source, splits)
    return Reading(EMOTIONS, splits, form, left_out)


def _say_what_is_missing(source: Path, splits: dict[str, RawSplit]) -> None:
    found = {split: len(raw) for split, raw in splits.items()}
    if found != OFFICIAL:
        both = ", ".join(f"{found[split]:,} of {count:,} in {split}" for split, count in OFFICIAL.items())
        warn(f"{source} is not the whole of FER2013: it has {both}. Results do not compare with those of others.")
    there = set(splits["train"].labels.tolist())
    if missing := [emotion for label, emotion in enumerate(EMOTIONS) if label not in there]:
        warn(f"{source} has no training picture of {', '.join(missing)}.")


def _with_votes(splits: Mapping[str, RawSplit], cast: Votes, *, required: bool) -> dict[str, RawSplit]:
    try:
        votes = joined(splits, cast)
    except UserError as error:
        if required:
            raise
        say(f"Without FER+'s votes: {error}")
        return dict(splits)
    of = list(votes)
    said = agreement(
        np.concatenate([votes[split] for split in of]), np.concatenate([splits[split].labels for split in of])
    )
    alike = f", their plurality in {100 * said.plurality:.1f} % of {said.decided:,}" if said.decided else ""
    say(
        f"FER+'s votes on {said.images:,} of {sum(map(len, splits.values())):,} images: one voter gives the label in "
        f"{100 * said.voter:.1f} % of the cases, no voter in {100 * said.nobody:.1f} %{alike}."
    )
    return {split: replace(raw, beside={VOTES: votes[split]}) for split, raw in splits.items()}


def _sha256(source: Path) -> str:
    try:
        return files.sha256(source)
    except OSError as error:
        raise UserError(f"source={source} cannot be read: {error.strerror}.") from error
