"""k-means: one big problem with faiss, many small ones at once with plain torch."""

from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 128  # maps at a time in batched_kmeans: their planes stay in the processor's cache


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

    Args:
        points: (N, D) float; all N are used, none is sampled.
        k: number of clusters, at most the number of distinct points.
        seed: of the random starts (k of the points); the same seed gives the same clusters.
        restarts: random starts, of which the one of least inertia is kept.
        iterations: Lloyd iterations of each start.
        start: (k, D) centres to start from instead; then there is one start and no chance, but for an emptied
            cluster, which faiss refills by splitting another.

    Returns:
        Clustering on the points' device; labels are the nearest of the returned centres.

    Raises:
        ValueError: a shape that does not fit, NaN or infinity, or fewer distinct points than clusters.
    """
    import faiss

    if points.ndim != 2:
        raise ValueError(f"points must be (N, D), not {tuple(points.shape)}")
    if start is not None and start.shape != (k, points.shape[1]):
        raise ValueError(f"start must be {(k, points.shape[1])} centres, not {tuple(start.shape)}")
    host = points.detach().to("cpu", torch.float32).contiguous()
    _require_distinct(host, k)

    solver = faiss.Kmeans(
        points.shape[1],
        k,
        niter=iterations,
        nredo=restarts if start is None else 1,
        seed=seed % 2**31,  # faiss holds it in a C int
        max_points_per_centroid=len(points),  # else faiss quietly samples 256 per cluster
        min_points_per_centroid=1,
    )
    if faiss_uses_gpu(points.device):
        resources = faiss.StandardGpuResources()
        resources.setTempMemory(64 * 2**20)  # else faiss takes 1.5 GB of the GPU each time
        solver.index = faiss.index_cpu_to_gpu(resources, points.device.index or 0, solver.index)
    solver.train(
        host.numpy(), init_centroids=None if start is None else start.detach().to("cpu", torch.float32).numpy()
    )
    # faiss's own objective and labels are those before its last update of the centres
    _, nearest = solver.assign(host.numpy())
    labels, centres = torch.from_numpy(nearest), torch.tensor(solver.centroids)
    inertia = (host.double() - centres[labels]).square().sum().item()
    return Clustering(labels.to(points.device), centres.to(points.device), inertia)


def faiss_uses_gpu(device: torch.device) -> bool:
    """Whether `kmeans` of points on `device` runs on a GPU: they lie on one, and faiss sees one."""
    import faiss

    return device.type == "cuda" and hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


@torch.no_grad()
def batched_kmeans(points: Tensor, start: Tensor, *, iterations: int = 20) -> tuple[Tensor, Tensor, Tensor]:
    """Lloyd's k-means of B sets of points at once, in plain torch, each from given centres.

    Gives what `kmeans` gives from the same start, as long as no cluster empties; an empty cluster keeps its centre.

    Args:
        points: (B, N, D) float.
        start: (k, D), the same centres for all, or (B, k, D).
        iterations: at most so many; it stops when no label changes.

    Returns:
        labels (B, N) int64, the nearest of the returned centres (of equally near ones the first);
        centres (B, k, D) float32; inertia (B,) float32, the sum of squared distances.

    Raises:
        ValueError: a shape that does not fit, no points or centres, NaN or infinity.
    """
    batch, count, dim = points.shape
    start = start.to(points.device, torch.float32).expand(batch, -1, -1)
    if start.shape[2] != dim or start.shape[1] == 0 or count == 0:
        raise ValueError(f"points {tuple(points.shape)} and centres {tuple(start.shape)} do not fit")
    if not (torch.isfinite(points).all() and torch.isfinite(start).all()):
        raise ValueError("points or centres hold NaN or infinity")
    labels = torch.empty((batch, count), dtype=torch.int64, device=points.device)
    centres = torch.empty_like(start, memory_format=torch.contiguous_format)
    inertia = torch.empty(batch, dtype=torch.float32, device=points.device)
    for low in range(0, batch, CHUNK):
        part = slice(low, low + CHUNK)
        labels[part], centres[part], inertia[part] = _lloyd(points[part].float(), start[part], iterations)
    return labels, centres, inertia


def _lloyd(points: Tensor, centres: Tensor, iterations: int) -> tuple[Tensor, Tensor, Tensor]:
    """`batched_kmeans` of one chunk.

    Works on planes (B, N), one per dimension, by elementwise steps only: for a handful of dimensions that is ten
    times as fast as batched matrix products on a CPU, and neither autocast nor TF32 can coarsen it.
    """
    planes = [plane.contiguous() for plane in points.unbind(dim=-1)]
    for _ in range(iterations):
        moved = _update(planes, _assign(planes, centres), centres)
        converged = torch.equal(moved, centres)
        centres = moved
        if converged:
            break
    labels = _assign(planes, centres).long()
    nearest = centres.gather(1, labels[..., None].expand_as(points))
    return labels, centres, (points - nearest).square().sum(dim=(1, 2))


def _assign(planes: list[Tensor], centres: Tensor) -> Tensor:
    """The nearest centre of each point, (B, N), as float32: comparisons that write floats are the fast ones."""
    labels = torch.zeros_like(planes[0])
    best = _distance(planes, centres[:, 0])
    closer = torch.empty_like(best)
    for c in range(1, centres.shape[1]):
        distance = _distance(planes, centres[:, c])
        torch.lt(distance, best, out=closer)  # 1.0 where true
        labels += closer * (c - labels)
        best = torch.minimum(best, distance)
    return labels


def _distance(planes: list[Tensor], centre: Tensor) -> Tensor:
    """|p - c|^2 - |p|^2 = |c|^2 - 2 p.c of each point, (B, N), for one centre (B, D) of each set."""
    distance = centre.square().sum(dim=1, keepdim=True)
    for plane, coordinate in zip(planes, centre.unbind(dim=1), strict=True):
        distance = torch.addcmul(distance, plane, coordinate[:, None], value=-2.0)
    return distance


def _update(planes: list[Tensor], labels: Tensor, centres: Tensor) -> Tensor:
    """The mean of each cluster, (B, k, D); an empty cluster keeps its centre."""
    member = torch.empty_like(labels)
    means = torch.empty_like(centres)
    for c in range(centres.shape[1]):
        torch.eq(labels, c, out=member)  # 1.0 where true
        size = member.sum(dim=1)
        for d, plane in enumerate(planes):
            means[:, c, d] = torch.where(size > 0, (member * plane).sum(dim=1) / size, centres[:, c, d])
    return means


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
