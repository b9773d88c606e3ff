"""k-means: of one set of points with faiss, of many at once with numba on the CPU or torch on a GPU."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fer_perturb.faiss_here import faiss_here
from fer_perturb.perturb import faiss_gpu

Lloyd = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True)
class Clustering:
    """Points and their clusters: labels (N,) int64, centres (k, D) float32, inertia = sum of squared distances."""

    labels: Tensor
    centres: Tensor
    inertia: float


def kmeans(
    points: Tensor, k: int, *, seed: int, restarts: int = 1, iterations: int = 20, start: Tensor | None = None
) -> Clustering:
    """k-means of one set of points by faiss, on the GPU that holds the points or else on the CPU.

    Where faiss cannot be imported `batched_kmeans` takes its place.

    Args:
        points: (N, D) float; all N are used, none is sampled.
        k: number of clusters, at most the number of distinct points.
        seed: of the random starts (k of the points); the same seed gives the same clusters.
        restarts: random starts, of which the one of least inertia is kept.
        iterations: Lloyd iterations of each start.
        start: (k, D) centres to start from instead; then there is one start and no chance, but for an emptied
            cluster, which faiss refills on the CPU by splitting another.

    Returns:
        Clustering on the points' device; labels are the nearest of the returned centres.

    Raises:
        ValueError: a shape that does not fit, NaN or infinity, or fewer distinct points than clusters.
    """
    if points.ndim != 2:
        raise ValueError(f"points must be (N, D), not {tuple(points.shape)}")
    if start is not None and start.shape != (k, points.shape[1]):
        raise ValueError(f"start must be {(k, points.shape[1])} centres, not {tuple(start.shape)}")
    points = points.detach().float()
    _require_distinct(points, k)
    faiss, on_gpu = faiss_here(), faiss_gpu.faiss_uses_gpu(points.device)
    if faiss is not None and not on_gpu:
        return _on_the_host(faiss, points, k, seed, restarts, iterations, start)
    starts = random_starts(points, k, seed=seed, restarts=restarts) if start is None else start[None].to(points)
    if on_gpu:
        search = faiss_gpu.gpu_search(points.device)
        labels, centres, total = faiss_gpu.lloyd(points.contiguous(), starts, iterations, search)
    else:
        each = batched_kmeans(points.expand(len(starts), -1, -1), starts, iterations=iterations)
        labels, centres, total = (of_each[int(each[2].argmin())] for of_each in each)
    return Clustering(labels, centres, total.item())


def _on_the_host(
    faiss: Any, points: Tensor, k: int, seed: int, restarts: int, iterations: int, start: Tensor | None
) -> Clustering:
    """faiss's own k-means, which takes the points from the host."""
    host = points.cpu().contiguous()
    solver = faiss.Kmeans(
        points.shape[1],
        k,
        niter=iterations,
        nredo=restarts if start is None else 1,
        seed=seed % 2**31,  # faiss holds it in a C int
        max_points_per_centroid=len(points),  # else faiss quietly samples 256 per cluster
        min_points_per_centroid=1,
    )
    solver.train(
        host.numpy(), init_centroids=None if start is None else start.detach().to("cpu", torch.float32).numpy()
    )
    # faiss's own objective and labels are those before its last update of the centres
    _, nearest = solver.assign(host.numpy())
    labels, centres = torch.from_numpy(nearest), torch.tensor(solver.centroids)
    inertia = (host.double() - centres[labels]).square().sum().item()
    return Clustering(labels.to(points.device), centres.to(points.device), inertia)


def random_starts(points: Tensor, k: int, *, seed: int, restarts: int) -> Tensor:
    """k distinct points (N, D), `restarts` times: (restarts, k, D)."""
    distinct, draws = torch.unique(points, dim=0), torch.Generator().manual_seed(seed % 2**63)
    rows = torch.stack([torch.randperm(len(distinct), generator=draws)[:k] for _ in range(restarts)])
    starts: Tensor = distinct[rows.to(points.device)]
    return starts


@torch.no_grad()
def batched_kmeans(points: Tensor, start: Tensor, *, iterations: int = 20) -> tuple[Tensor, Tensor, Tensor]:
    """Lloyd's k-means of B sets of points at once, each from given centres.

    Gives what `kmeans` gives from the same start, as long as no cluster empties; an empty cluster keeps its centre.

    Args:
        points: (B, N, D) float; as `pixel_features` lays them out they are not copied.
        start: (k, D), the same centres for all, or (B, k, D).
        iterations: at most so many; what no longer changes needs no more.

    Returns:
        labels (B, N) int64, the nearest of the returned centres (of equally near ones the first);
        centres (B, k, D) float32; inertia (B,) float32, the sum of squared distances.

    Raises:
        ValueError: a shape that does not fit, no points or centres, NaN or infinity, also in a squared distance.
    """
    batch, count, dim = points.shape
    start = start.detach().to(points.device, torch.float32).expand(batch, -1, -1)
    if start.shape[2] != dim or start.shape[1] == 0 or count == 0:
        raise ValueError(f"points {tuple(points.shape)} and centres {tuple(start.shape)} do not fit")
    planes = points.detach().float().mT.contiguous()
    labels, centres, inertia = batched_lloyd(points.device)(planes, start, iterations)
    if not (torch.isfinite(inertia).all() and torch.isfinite(start).all()):
        raise ValueError("points, centres or the squares of their distances hold NaN or infinity")
    return labels.long(), centres, inertia


def batched_lloyd(device: torch.device) -> Lloyd:
    """What does the work of `batched_kmeans` on `device`; numba is imported only where it is used."""
    if device.type == "cpu":
        from fer_perturb.perturb.lloyd_numba import lloyd
    else:
        from fer_perturb.perturb.lloyd_torch import lloyd
    return lloyd


def _require_distinct(points: Tensor, k: int) -> None:
    """ValueError unless there are k distinct points, all finite."""
    if k < 1:
        raise ValueError(f"the number of clusters must be at least 1, not {k}")
    if not torch.isfinite(points).all():
        raise ValueError("the points hold NaN or infinity")
    rest = points
    for found in range(k):  # cheaper than sorting all points for their distinct ones
        if len(rest) == 0:
            raise ValueError(f"{k} clusters need {k} distinct points, there are {found} among {len(points)}")
        rest = rest[(rest != rest[0]).any(dim=1)]
