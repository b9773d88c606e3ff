"""MaskFer: the same faces wearing masks, drawn on a prepared dataset by its landmarks."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import rich
from numpy.typing import NDArray
from rich.progress import Progress

from fer_perturb.data.landmarks import mask_drawing
from fer_perturb.data.landmarks.mask_drawing import draw_mask
from fer_perturb.data.landmarks.placing import cores, place_landmarks, unplaced_table
from fer_perturb.data.packed import PackedData, RawSplit, Split, load_packed
from fer_perturb.data.packed.format import LANDMARKS, UNMASKED, VOTES
from fer_perturb.data.readers.reader import VERSION, Reading
from fer_perturb.errors import UserError

CHUNK = 512  # images at a time
FORM = "drawn masks"

Chunk = tuple[NDArray[np.uint8], NDArray[Any], list[bytes]]  # images, landmarks, identities


@dataclass(frozen=True)
class MaskFerMaker:
    """MaskFer of `data`, whose landmarks are placed first, where it has none.

    unplaced: what becomes of faces that they could not be placed on, `mean` (the mask of the mean shape) or `drop`.
    workers: processes; None: one for each core.
    """

    data: PackedData
    unplaced: str
    workers: int | None = None

    @cached_property
    def _placed(self) -> PackedData:
        return place_landmarks(self.data, workers=self.workers)

    def settings(self, root: Path) -> dict[str, Any]:
        """See Maker; UserError where the faces wear masks already, or lie at `root` themselves."""
        if root.resolve() == self.data.root.resolve() or self.data.splits["train"].unmasked is not None:
            raise UserError(
                f"MaskFer of {self.data.root} into {root}: expected the unmasked faces in dataset.of, and another "
                "dataset.name."
            )
        votes = self.data.votes_identity
        return {
            "form": FORM,
            "prepared_by": [VERSION, mask_drawing.VERSION],
            "of": self.data.identity,
            "landmarks": self._placed.landmarks_identity,
            "unplaced": self.unplaced,
            **({"votes": votes} if votes else {}),  # so that one of before gets them
        }

    def make(self, progress: Progress) -> Reading:
        """See Maker; says which faces could not be placed."""
        data, drop = self._placed, self.unplaced == "drop"
        splits = masked_splits(data, progress, drop=drop, workers=self.workers)
        rich.print(unplaced_table(data, "they are left out" if drop else "they wear the mask of the mean shape"))
        count = sum(int((~data.placed(split)).sum()) for split in data.splits)
        return Reading(data.classes, splits, FORM, {"face that could not be placed": count} if drop else {})


def maskfer_of(data: str, of: str, unplaced: str) -> MaskFerMaker:
    """MaskFer of the dataset `of` in the folder `data`; UserError where it is not prepared."""
    return MaskFerMaker(load_packed(Path(data, of)), unplaced)


def masked_splits(
    data: PackedData, progress: Progress, *, drop: bool, workers: int | None = None
) -> dict[str, RawSplit]:
    """The splits of `data` with a mask on each face, drawn with a process for each core (or `workers`).

    Beside the images lie `landmarks` (N, 68, 2) and `unmasked` (N,) "S64": the sha256 of the pixels of the picture
    without its mask, by which the two are paired, and FER+'s votes where `data` has them. `drop` leaves out the faces
    that could not be placed, else they wear the mask of the mean shape. Raises UserError where `data` has no landmarks.
    """
    data.require_landmarks("MaskFer")
    kept = {
        split: np.flatnonzero(data.placed(split)) if drop else np.arange(len(of)) for split, of in data.splits.items()
    }
    task = progress.add_task("Drawing masks", total=sum(map(len, kept.values())))
    splits = {}
    with _workers(workers or cores()) as each:
        for split, of in data.splits.items():
            rows, identities = kept[split], of.identities()[kept[split]]
            drawn = []
            for images in each(draw_chunk, _chunks(of, rows, identities)):
                drawn.append(images)
                progress.advance(task, len(images))
            assert of.landmarks is not None
            splits[split] = RawSplit(
                images=np.concatenate(drawn) if drawn else of.images[:0],
                labels=of.labels[rows],
                names=[of.names[row] for row in rows],
                extras={LANDMARKS: np.asarray(of.landmarks[rows]), UNMASKED: identities},
                beside={} if of.votes is None else {VOTES: of.votes[rows]},
            )
    return splits


@contextmanager
def _workers(count: int) -> Iterator[Callable[..., Iterable[NDArray[np.uint8]]]]:
    """A `map` by that many processes; by this one where there is one: others take semaphores, which may be denied."""
    if count == 1:
        yield map
        return
    # not by forking: other libraries' threads may be at work in this process
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        yield pool.map


def draw_chunk(chunk: Chunk) -> NDArray[np.uint8]:
    """The images of a chunk with their masks."""
    return np.stack([draw_mask(image, points, identity) for image, points, identity in zip(*chunk, strict=True)])


def _chunks(split: Split, rows: NDArray[np.int64], identities: NDArray[np.bytes_]) -> Iterable[Chunk]:
    assert split.landmarks is not None
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        yield split.images[some], split.landmarks[some], identities[start : start + CHUNK].tolist()
