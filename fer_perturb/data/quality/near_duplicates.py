"""Pictures that are the same but for a mirror or a slight shift.

The method, for images brought to 48x48 (N of them, all distinct):

1. Each image is described by the 8x8 means of its central 40x40 pixels, seen through the discrete cosine
   transform: the 34 coefficients of a radial frequency of at most 6, the mean left out, each multiplied by the
   frequency to the power 0.75 (pictures hold less of what is fine), the vector scaled to length 1.
   It is blind to brightness and contrast, and nearly so to a shift by one pixel.
2. Each image, as it is and mirrored, moved by (0, 0), (1, 1) and (1, -1) pixels, so that with the other image's
   turn to ask every shift up to 2 pixels leaves at most one pixel in x and y, asks faiss for its 8 nearest by
   inner product. Those of at least 0.88 are candidates.
3. A candidate is a near-duplicate where the normalised cross-correlation of the overlapping pixels is at least
   0.95 for one of the 25 shifts of up to 2 pixels in x and y.

On FER2013 all of 48 shifted and 30 mirrored pairs looked at, at or above 0.95, show the same photograph; below 0.95
mirrored pairs begin to show different people. Of 4,000 copies planted there, moved by up to 2 pixels, with other
contrast and noise, half of them mirrored, 99.7 % were found.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from scipy.fft import dctn

from fer_perturb.data.decode import resized
from fer_perturb.faiss_here import faiss_here

SIDE = 48  # pixels to which images are brought first
SHIFT = 2  # pixels in x and y, on that grid
NEIGHBOURS = 8
CANDIDATE = 0.88  # inner product of two descriptions
SAME = 0.95  # normalised cross-correlation of two near-duplicates
LIMIT = 100_000  # images; the search compares all with all
METHOD = (
    f"8 nearest by weighted 8x8 cosine coefficients, then normalised cross-correlation of at least {SAME} "
    f"for a shift of at most {SHIFT} pixels on {SIDE}x{SIDE}"
)

Search = Callable[[NDArray[np.float32], int], tuple[NDArray[np.float32], NDArray[np.int64]]]


@dataclass(frozen=True, eq=False)
class NearPairs:
    """(P, 2) int64 rows, the smaller first, sorted and without repeats: the same picture but for ..."""

    shifted: NDArray[np.int64]  # a shift of up to 2 pixels, contrast or compression
    mirrored: NDArray[np.int64]  # a mirror, and those


def near_duplicates(images: NDArray[np.uint8], progress: Progress) -> NearPairs:
    """images (N, H, W) uint8, all distinct -> the pairs that are near-duplicates by the method above.

    Images with hardly any contrast (a standard deviation below 1 grey value) have none.
    """
    # one by one: numpy holds eight bytes for each pixel meanwhile
    usable = np.flatnonzero([image.std() >= 1 for image in images])
    small = np.stack([resized(images[row], (SIDE, SIDE)) for row in usable]) if len(usable) else images[:0]
    if len(small) < 2:
        nothing = np.empty((0, 2), dtype=np.int64)
        return NearPairs(shifted=nothing, mirrored=nothing)
    target = describe(small)
    shifted = _verified(small, small, _candidates(small, target, progress), progress)
    mirror = np.ascontiguousarray(small[:, :, ::-1])
    mirrored = _verified(mirror, small, _candidates(mirror, target, progress), progress)
    return NearPairs(shifted=usable[shifted], mirrored=usable[mirrored])


def describe(images: NDArray[np.uint8], move: tuple[int, int] = (0, 0)) -> NDArray[np.float32]:
    """images (N, 48, 48) uint8, moved by `move` = (y, x) of up to 4 pixels -> (N, 34) float32 of length 1."""
    y, x = 4 + move[0], 4 + move[1]
    parts = []
    for start in range(0, len(images), 4096):
        crop = images[start : start + 4096, y : y + 40, x : x + 40]
        parts.append(crop.reshape(-1, 8, 5, 8, 5).mean(axis=(2, 4), dtype=np.float32))
    frequency = np.hypot(*np.mgrid[:8, :8])
    kept = (frequency > 0) & (frequency <= 6)
    coefficients = dctn(np.concatenate(parts), axes=(1, 2), norm="ortho")[:, kept] * frequency[kept] ** 0.75
    length = np.linalg.norm(coefficients, axis=1, keepdims=True)
    return np.ascontiguousarray(coefficients / np.maximum(length, 1e-6), dtype=np.float32)


def _candidates(query: NDArray[np.uint8], target: NDArray[np.float32], progress: Progress) -> NDArray[np.int64]:
    """(P, 2) int64: pairs (i, j), i < j, of `query` image i or j and `target` description j or i, once each."""
    search = _search_in(target)
    chunk = 8192  # faiss takes a slower path for few queries at a time
    moves = [(0, 0), (1, 1), (1, -1)]
    task = progress.add_task("Looking for near-duplicates", total=len(moves) * len(query))
    pairs = []
    for move in moves:
        described = describe(query, move)
        for start in range(0, len(query), chunk):
            likeness, nearest = search(described[start : start + chunk], min(NEIGHBOURS, len(target)))
            asking, place = np.nonzero(likeness >= CANDIDATE)
            pairs.append(np.stack([start + asking, nearest[asking, place]], axis=1))
            progress.advance(task, len(likeness))
    ordered = np.sort(np.concatenate(pairs), axis=1)
    distinct: NDArray[np.int64] = np.unique(ordered[ordered[:, 0] != ordered[:, 1]], axis=0)
    return distinct


def _search_in(target: NDArray[np.float32]) -> Search:
    """Of queries (Q, D), and how many to find, the largest inner products with `target` (N, D) and whose they are."""
    if (faiss := faiss_here()) is not None:
        index = faiss.IndexFlatIP(target.shape[1])
        index.add(target)
        search: Search = index.search
        return search
    import torch  # slow to import

    def largest(queries: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        some = torch.split(torch.from_numpy(queries), 1024)  # bounds the memory for the products
        found = [(part @ torch.from_numpy(target).T).topk(count) for part in some]
        return torch.cat([of.values for of in found]).numpy(), torch.cat([of.indices for of in found]).numpy()

    return largest


def _verified(
    first: NDArray[np.uint8], second: NDArray[np.uint8], pairs: NDArray[np.int64], progress: Progress
) -> NDArray[np.int64]:
    """Those of `pairs` whose images first[i] and second[j] correlate by at least SAME at some shift."""
    task = progress.add_task("Comparing candidates", total=len(pairs))
    kept = [pairs[:0]]
    for start in range(0, len(pairs), 1024):
        chunk = pairs[start : start + 1024]
        kept.append(chunk[best_correlation(first[chunk[:, 0]], second[chunk[:, 1]]) >= SAME])
        progress.advance(task, len(chunk))
    return np.concatenate(kept)


def best_correlation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """first, second (P, H, W) uint8 -> (P,) float32 in [-1, 1]: the largest normalised cross-correlation of the
    overlapping pixels over all shifts of up to 2 pixels in x and y. Where the overlap of either image holds less
    than a tenth of the image's variance it does not count (-1)."""
    a, b = _standardised(first), _standardised(second)
    height, width = a.shape[1:]
    best = np.full(len(a), -1, dtype=np.float32)
    for dy in range(-SHIFT, SHIFT + 1):
        for dx in range(-SHIFT, SHIFT + 1):
            part_a = a[:, max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
            part_b = b[:, max(0, -dy) : height + min(0, -dy), max(0, -dx) : width + min(0, -dx)]
            pixels = part_a.shape[1] * part_a.shape[2]
            mean_a, mean_b = part_a.mean(axis=(1, 2)), part_b.mean(axis=(1, 2))
            covariance = np.einsum("pyx,pyx->p", part_a, part_b) / pixels - mean_a * mean_b
            variance_a = np.einsum("pyx,pyx->p", part_a, part_a) / pixels - mean_a**2
            variance_b = np.einsum("pyx,pyx->p", part_b, part_b) / pixels - mean_b**2
            enough = (variance_a >= 0.1) & (variance_b >= 0.1)
            scale = np.sqrt(np.where(enough, variance_a * variance_b, 1))
            best = np.maximum(best, np.where(enough, covariance / scale, -1)).astype(np.float32)
    return best


def _standardised(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = images.astype(np.float32)
    centred = grey - grey.mean(axis=(1, 2), keepdims=True)
    standardised: NDArray[np.float32] = centred / np.maximum(centred.std(axis=(1, 2), keepdims=True), 1e-6)
    return standardised
