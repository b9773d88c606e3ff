"""Lloyd's k-means of many sets of points on the CPU, compiled by numba: no C++ compiler is needed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

CHUNK = 64  # sets that a thread takes at a time: some settle sooner than others
SIMD = {"reassoc", "contract", "nsz"}  # sums may be reordered, but NaN and infinity stay what they are

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


def lloyd(planes: Tensor, start: Tensor, iterations: int) -> tuple[Tensor, Tensor, Tensor]:
    """What `lloyd_torch.lloyd` computes, for tensors on the CPU; each set stops once none of its labels changes.

    On as many threads as torch uses. They are Python's, and not numba's own, which would compete with torch's.
    """
    batch, _, count = planes.shape
    labels = torch.empty((batch, count), dtype=torch.int32)
    centres = start.clone(memory_format=torch.contiguous_format)
    inertia = torch.empty(batch, dtype=torch.float32)
    arrays = [tensor.numpy() for tensor in (planes, centres, labels, inertia)]

    def solve(low: int) -> None:
        _lloyd(*(array[low : low + CHUNK] for array in arrays), iterations)

    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        list(threads.map(solve, range(0, batch, CHUNK)))  # the list raises what a thread raised
    return labels, centres, inertia


def compiled(function: Callable[..., None]) -> Any:
    """`function` in machine code: kept on disk, if numba finds a directory that it may write to, or made anew."""
    signature = "void(float32[:, :, ::1], float32[:, :, ::1], int32[:, ::1], float32[::1], int64)"
    try:
        return njit(signature, nogil=True, cache=True)(function)
    except (RuntimeError, OSError):  # no such directory, or no room in it
        return njit(signature, nogil=True)(function)


# Each inner loop below runs over the points alone: so it becomes SIMD.


@njit(fastmath=SIMD)
def _assign(planes: Floats, centres: Floats, labels: Ints, least: Floats, nearest: Ints, squares: Floats) -> bool:
    """Writes the nearest centre of each point and the square of its distance; whether a label changed.

    planes (D, N); centres (k, D); labels (N,) in and out; least (N,) out; nearest, squares (N,) to work in.
    """
    dim, count = planes.shape
    for i in range(count):
        least[i] = np.inf
        nearest[i] = 0
    for c in range(len(centres)):
        for i in range(count):
            squares[i] = 0
        for d in range(dim):
            plane, coordinate = planes[d], centres[c, d]
            for i in range(count):
                squares[i] += (plane[i] - coordinate) ** 2
        for i in range(count):
            closer = squares[i] < least[i]
            least[i] = squares[i] if closer else least[i]
            nearest[i] = c if closer else nearest[i]
    changed = np.int32(0)
    for i in range(count):
        changed |= labels[i] ^ nearest[i]
        labels[i] = nearest[i]
    return bool(changed != 0)


@njit(fastmath=SIMD)
def _update(planes: Floats, labels: Ints, centres: Floats) -> None:
    """Moves each centre (k, D) to the mean of its points, if it has any; planes (D, N), labels (N,)."""
    dim, count = planes.shape
    for c in range(len(centres)):
        size = np.int32(0)
        for i in range(count):
            size += np.int32(labels[i] == c)
        if size == 0:
            continue
        for d in range(dim):
            plane, total = planes[d], np.float32(0)
            for i in range(count):
                total += plane[i] if labels[i] == c else np.float32(0)
            centres[c, d] = total / size


@compiled
def _lloyd(planes: Floats, centres: Floats, labels: Ints, inertia: Floats, iterations: int) -> None:
    """planes (B, D, N); centres (B, k, D) in and out; labels (B, N) and inertia (B,) out."""
    batch, _, count = planes.shape
    least, squares, nearest = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.int32)
    for b in range(batch):
        labels[b] = -1
        changed = _assign(planes[b], centres[b], labels[b], least, nearest, squares)
        for _ in range(iterations):
            if not changed:
                break
            _update(planes[b], labels[b], centres[b])
            changed = _assign(planes[b], centres[b], labels[b], least, nearest, squares)
        inertia[b] = least.sum(dtype=np.float64)
