"""Lloyd's k-means of many sets of points in plain torch, for any device."""

import torch
from torch import Tensor


def lloyd(planes: Tensor, start: Tensor, iterations: int) -> tuple[Tensor, Tensor, Tensor]:
    """Moves each centre to the mean of the points nearest to it, again and again; one without points stays.

    Elementwise steps only, so that neither autocast nor TF32 can coarsen them. Always all `iterations`: to look
    whether the centres still move would have the host wait for a GPU each time.

    Args:
        planes: (B, D, N) float32: B sets of N points, one plane per coordinate.
        start: (B, k, D) float32.
        iterations: how often the centres move.

    Returns:
        labels (B, N) of an integer type, the nearest of the returned centres (of equally near ones the first);
        centres (B, k, D) float32; inertia (B,) float32, the sum of squared distances: not finite if a point is not.
    """
    centres = start
    clusters = torch.arange(start.shape[1], device=planes.device)[:, None]
    for _ in range(iterations):
        labels, _ = _nearest(planes, centres)
        member = labels[:, None] == clusters  # (B, k, N)
        sums = torch.stack([(member * plane[:, None]).sum(dim=-1) for plane in planes.unbind(dim=1)], dim=-1)
        sizes = member.sum(dim=-1)[..., None]
        centres = torch.where(sizes > 0, sums / sizes, centres)
    labels, squares = _nearest(planes, centres)
    return labels, centres, squares.sum(dim=-1)


def _nearest(planes: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest centre of each point, int64, and the square of its distance, float32; both (B, N)."""
    squares = torch.zeros((), device=planes.device)
    for plane, coordinate in zip(planes.unbind(dim=1), centres.unbind(dim=2), strict=True):
        squares = squares + (plane[:, None] - coordinate[..., None]).square()  # (B, k, N)
    least, labels = squares.min(dim=1)
    return labels, least
