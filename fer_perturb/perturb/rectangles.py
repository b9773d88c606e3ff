"""The control `extra_erasing`: a random rectangle hidden where Perturb would hide a cluster, as large as that.

Random erasing is Zhong et al. 2020's; its rectangles have the shapes of the recipe's (data/augmentation/augment.py).
"""

import torch
from torch import Tensor

from fer_perturb.data.augmentation.augment import rectangles
from fer_perturb.perturb.views import masks


def all_rectangle_views(images: Tensor, labels: Tensor, n_clusters: int, fill: float) -> Tensor:
    """As `all_views`, with a random rectangle of cluster c's area in view c: (n+1, B, C, H, W).

    The rectangle of each view and image is drawn for itself, from torch's global random stream on their device.
    """
    areas = _areas(images, labels, n_clusters).T  # (n+1, B)
    return torch.where(_drawn(images, areas).unsqueeze(2), fill, images)


def sample_rectangle_views(images: Tensor, labels: Tensor, choice: Tensor, n_clusters: int, fill: float) -> Tensor:
    """As `sample_views`, with a random rectangle of cluster choice[b]'s area in image b: (B, C, H, W)."""
    areas = _areas(images, labels, n_clusters).gather(1, choice[:, None]).squeeze(1)  # (B,)
    return torch.where(_drawn(images, areas).unsqueeze(1), fill, images)


def _areas(images: Tensor, labels: Tensor, n_clusters: int) -> Tensor:
    """Pixels of each cluster, and 0 for the view that is the image itself: float32 (B, n+1)."""
    counts = masks(labels, n_clusters).sum(dim=(-2, -1)).float().expand(len(images), -1)
    return torch.cat([counts, torch.zeros_like(counts[:, :1])], dim=1)


def _drawn(images: Tensor, areas: Tensor) -> Tensor:
    """bool (..., H, W) for areas (...), in pixels; an area of 0 hides nothing."""
    areas = areas[..., None, None]
    shape, left, top = torch.rand(3, *areas.shape, device=images.device)
    return rectangles(images.shape[-2:], areas, shape, left, top) & (areas > 0)
