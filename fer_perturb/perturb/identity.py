"""A cluster keeps its identity: the same label for the same part of the face, epoch after epoch."""

import math

import torch
from torch import Tensor


def reading_order(centres: Tensor) -> Tensor:
    """Sorts clusters as one reads: top to bottom, and left to right where they are level.

    The topmost centre opens a row; every centre less than a tolerance below it stands in that row, the next one
    opens another. The tolerance is half the spacing that k centres would have in a square layout of the same
    extent: the larger of their ranges in x and y, divided by 2 sqrt(k).

    Args:
        centres: (k, 3) as `pixel_features` orders them: x (column) first, then y (row), then attention.

    Returns:
        (k,) int64 permutation: centres[permutation] is in reading order.
    """
    x, y = centres[:, 0].tolist(), centres[:, 1].tolist()
    tolerance = max(max(x) - min(x), max(y) - min(y)) / (2 * math.sqrt(len(x)))
    order: list[int] = []
    below = sorted(range(len(y)), key=lambda c: (y[c], x[c]))
    while below:
        row = [c for c in below if y[c] - y[below[0]] <= tolerance]
        order += sorted(row, key=lambda c: (x[c], y[c]))
        below = below[len(row) :]
    return torch.tensor(order, device=centres.device)


def match(centres: Tensor, reference: Tensor) -> Tensor:
    """Pairs clusters with earlier ones so that the sum of squared distances is least (Hungarian method).

    Args:
        centres: (k, D).
        reference: (k, D), the centres whose order is to be kept.

    Returns:
        (k,) int64 permutation: centres[permutation] lines up with `reference`.

    Raises:
        ValueError: the two differ in shape, or hold NaN or infinity.
    """
    from scipy.optimize import linear_sum_assignment

    if centres.shape != reference.shape:
        raise ValueError(f"centres {tuple(centres.shape)} and reference {tuple(reference.shape)} differ in shape")
    new, old = centres.detach().cpu().double(), reference.detach().cpu().double()  # Apple's GPU has no float64
    cost = (old[:, None] - new[None]).square().sum(dim=-1)
    _, permutation = linear_sum_assignment(cost.numpy())
    return torch.as_tensor(permutation, dtype=torch.int64, device=centres.device)


def relabel(labels: Tensor, permutation: Tensor) -> Tensor:
    """Renames clusters: the label permutation[i] becomes i; -1 stays -1.

    Args:
        labels: any shape, integer, in -1..k-1.
        permutation: (k,) int64, as `reading_order` and `match` give it.

    Returns:
        Labels of the same shape and dtype.
    """
    new_name = permutation.argsort().to(labels.dtype)
    return torch.where(labels < 0, labels, new_name[labels.clamp(min=0).long()])
