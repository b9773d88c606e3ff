"""What the predictor sees: the image without each cluster in turn, and the image itself."""

import torch
from torch import Tensor


def masks(labels: Tensor, n_clusters: int) -> Tensor:
    """Each cluster's pixels.

    Args:
        labels: cluster map, (H, W) or (B, H, W), any signed integer dtype, in -1..n-1; -1 is in no mask.
        n_clusters: n.

    Returns:
        bool (n, H, W) or (B, n, H, W). An empty cluster has an empty mask.
    """
    clusters = torch.arange(n_clusters, device=labels.device)
    return labels.unsqueeze(-3) == clusters[:, None, None]


def hidden(labels: Tensor, views: Tensor) -> Tensor:
    """What views hide: view c < n the pixels of cluster c, view n, the image itself, none.

    Args:
        labels: cluster map of all images (H, W) or of each (B, H, W), as in `masks`.
        views: int64 (r, B) in 0..n, r views of each image.

    Returns:
        bool (r, B, H, W).
    """
    return (labels == views[..., None, None]) & (labels >= 0)


def hide(images: Tensor, hidden: Tensor, fill: float) -> Tensor:
    """Views of images: float (B, C, H, W) without the pixels `hidden`, bool (r, B, H, W), which are set to `fill`.

    Returns (r, B, C, H, W), the images' dtype; `fill` is in their units.
    """
    return torch.where(hidden.unsqueeze(-3), fill, images)


def all_views(images: Tensor, labels: Tensor, n_clusters: int, fill: float) -> Tensor:
    """The n+1 views of every image: view c < n has cluster c's pixels set to `fill`, the last is the image.

    Args:
        images: (B, C, H, W) float.
        labels: cluster map of all images (H, W) or of each (B, H, W), as in `masks`.
        n_clusters: n.
        fill: in the images' units.

    Returns:
        (n+1, B, C, H, W), the images' dtype.
    """
    views = torch.arange(n_clusters + 1, device=labels.device)[:, None].expand(-1, len(images))
    return hide(images, hidden(labels, views), fill)


def draw_views(count: int, n_clusters: int, clean_share: float | None, device: torch.device) -> Tensor:
    """Which view each of `count` images is seen in: int64 (count,) in 0..n, where n is the image itself.

    clean_share: probability of n, in [0, 1]; None: 1 / (n + 1), as often as each cluster. From torch's random stream.
    """
    if clean_share is None:
        return torch.randint(n_clusters + 1, (count,), device=device)
    whole = torch.rand(count, device=device) < clean_share
    return torch.where(whole, n_clusters, torch.randint(n_clusters, (count,), device=device))
