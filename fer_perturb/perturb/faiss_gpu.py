"""faiss's k-means on points that lie on a GPU, without a copy of them on the host.

faiss.Kmeans(gpu=True) moves its index to the GPU, but takes the points from the host; faiss's own class for torch
tensors (DatasetAssignGPU) brings the labels back in each iteration, adds in no fixed order, and takes no start.
Here faiss searches for the nearest centres on the GPU, and nothing leaves it until k-means has ended.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from fer_perturb.faiss_here import faiss_here

Search = Callable[[Tensor, Tensor], Tensor]


def faiss_uses_gpu(device: torch.device) -> bool:
    """Whether faiss can search on `device`: it is a GPU, and this build of faiss sees one."""
    if device.type != "cuda":
        return False
    faiss = faiss_here()
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


def gpu_search(device: torch.device) -> Search:
    """faiss's exhaustive search on the GPU: points (N, D) and centres (k, D) -> the nearest centre of each, (N,)."""
    import faiss
    import faiss.contrib.torch_utils  # faiss then takes tensors

    resources = faiss.StandardGpuResources()
    resources.setTempMemory(64 * 2**20)  # else faiss takes 1.5 GB of the GPU

    def search(points: Tensor, centres: Tensor) -> Tensor:
        _, nearest = faiss.knn_gpu(resources, points, centres, 1, device=device.index or 0)
        labels: Tensor = nearest[:, 0]
        return labels

    return search


@torch.no_grad()
def lloyd(points: Tensor, starts: Tensor, iterations: int, search: Search) -> tuple[Tensor, Tensor, Tensor]:
    """Lloyd's k-means from each of several starts; the best of them. An emptied cluster keeps its centre.

    points: (N, D) float32, contiguous; starts: (R, k, D) float32.
    Returns labels (N,) int64, centres (k, D) float32 and inertia (), all on the points' device.
    """
    clusters = torch.arange(starts.shape[1], device=points.device)
    found = []
    for start in starts.unbind():
        centres = start.contiguous()
        for _ in range(iterations):
            member = (search(points, centres)[:, None] == clusters)[..., None]  # (N, k, 1)
            sizes = member.sum(dim=0)
            # a sum, and no index_add: CUDA adds that in no fixed order
            centres = torch.where(sizes > 0, (member * points[:, None]).sum(dim=0) / sizes, centres)
        labels = search(points, centres)
        found.append((labels, centres, (points - centres[labels]).square().sum()))
    best = int(torch.stack([inertia for _, _, inertia in found]).argmin())
    return found[best]
