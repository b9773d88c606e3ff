"""The controls `most_attended` and `least_attended`: all masked views hide one and the same cluster.

Clusters are not of one size, and one that is larger hides more. So the cluster is grown or shrunk at its border to
an n-th of the pixels, which is what Perturb's masked views hide on average.
"""

import torch
from torch import Tensor

from fer_perturb.perturb.clusters import ClusterSettings
from fer_perturb.perturb.features import pixel_features
from fer_perturb.perturb.views import masks

CHUNK = 512  # maps at a time: bounds the memory for distances


def one_region(attention: Tensor, labels: Tensor, settings: ClusterSettings, *, most: bool) -> Tensor:
    """The most (or least) attended cluster of each map, brought to an n-th of the pixels that may be masked.

    A cluster's attention is the mean over its pixels. The pixels are ranked by how much nearer they are, in the space
    of Eq. 1, to that cluster's centre than to the nearest other centre (by the difference of the squared distances,
    so that the border keeps its direction as it moves), and the first n-th of them are the region.

    Args:
        attention: (B, H, W), any real dtype and range.
        labels: cluster maps (B, H, W) of that attention with those settings, in -1..n-1, -1 = never masked; an empty
            cluster takes no part.
        settings: what the maps were made with.
        most: the most attended cluster; otherwise the least.

    Returns:
        (B, H, W) int8: 0 in the region, else -1. The region has round(M / n) pixels, of M that may be masked.
    """
    region = torch.empty_like(labels, dtype=torch.int8)
    for low in range(0, len(labels), CHUNK):
        rows = slice(low, low + CHUNK)
        region[rows] = _region(attention[rows], labels[rows], settings, most)
    return region


def _region(attention: Tensor, labels: Tensor, settings: ClusterSettings, most: bool) -> Tensor:
    points = pixel_features(
        attention,
        position_weight=settings.position_weight,
        attention_weight=settings.attention_weight,
        floor=settings.floor,
    )  # (b, N, 3)
    member = masks(labels, settings.n_clusters).flatten(2).float()  # (b, n, N)
    sizes = member.sum(dim=2)
    empty = sizes == 0
    means = (member * attention.float().flatten(1)[:, None]).sum(dim=2) / sizes
    chosen = (means.masked_fill(empty, -torch.inf) if most else -means.masked_fill(empty, torch.inf)).argmax(dim=1)
    # sums and not a product of matrices, which autocast would coarsen
    centres = torch.stack([(member * plane[:, None]).sum(dim=2) / sizes for plane in points.unbind(dim=2)], dim=2)
    squares = (points[:, None] - centres[:, :, None]).square().sum(dim=3)  # (b, n, N)
    squares = squares.masked_fill(empty[..., None], torch.inf)
    own = squares.gather(1, chosen[:, None, None].expand(-1, 1, squares.shape[2])).squeeze(1)
    others = squares.scatter(1, chosen[:, None, None].expand_as(squares[:, :1]), torch.inf).amin(dim=1)
    nearer = own - torch.where(others.isinf(), 0.0, others)  # one cluster alone: by the distance to it
    nearer = nearer.masked_fill(labels.flatten(1) < 0, torch.inf)
    may_be_masked = max(1, round(settings.top_share * nearer.shape[1]))
    first = nearer.argsort(dim=1, stable=True)[:, : max(1, round(may_be_masked / settings.n_clusters))]
    region = torch.full_like(nearer, -1, dtype=torch.int8)
    return region.scatter_(1, first, 0).view(labels.shape)
