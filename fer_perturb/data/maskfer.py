"""MaskFer: the same faces wearing masks, drawn on a prepared dataset by its landmarks."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from fer_perturb.data.drawn_masks import draw_mask
from fer_perturb.data.landmarks import cores
from fer_perturb.data.packed import LANDMARKS, UNMASKED, VOTES, PackedData, RawSplit, Split

CHUNK = 512  # images at a time

Chunk = tuple[NDArray[np.uint8], NDArray[Any], list[bytes]]  # images, landmarks, identities


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
