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


def all_views(images: Tensor, labels: Tensor, n_clusters: int, fill: float) -> Tensor:
    """The n+1 views of every image: view c < n has cluster c's pixels set to `fill`, the last is the image.

    Args:
        images: (B, C, H, W) float.
        labels: cluster map of all images (H, W) or of each (B, H, W), as in `masks`.
        n_clusters: n.
        fill: in the images' units.

    Returns:
        (n+1, B, C, H, W), the images' dtype; each view has the images' memory format.
    """
    # no pixel has the label n, so that the last view hides nothing
    views = torch.arange(n_clusters + 1, device=labels.device).view(-1, 1, 1, 1, 1)
    hidden = labels.reshape(-1, 1, *labels.shape[-2:]) == views  # (n+1, B or 1, 1, H, W)
    return torch.where(hidden, fill, images)


def draw_views(count: int, n_clusters: int, clean_share: float | None, device: torch.device) -> Tensor:
    """Which view each of `count` images is seen in: int64 (count,) in 0..n, where n is the image itself.

    clean_share: probability of n, in [0, 1]; None: 1 / (n + 1), as often as each cluster. From torch's random stream.
    """
    if clean_share is None:
        return torch.randint(n_clusters + 1, (count,), device=device)
    whole = torch.rand(count, device=device) < clean_share
    return torch.where(whole, n_clusters, torch.randint(n_clusters, (count,), device=device))


def sample_views(images: Tensor, labels: Tensor, choice: Tensor, fill: float) -> Tensor:
    """One view of each image: image b with the pixels of cluster choice[b] set to `fill`.

    Args:
        images: (B, C, H, W) float.
        labels: cluster map of all images (H, W) or of each (B, H, W), as in `masks`.
        choice: (B,) int64 in 0..n; n, which is no pixel's label, chooses the image itself.
        fill: in the images' units.

    Returns:
        (B, C, H, W), the images' dtype and memory format; equal to all_views(...)[choice, arange(B)].
    """
    hidden = (labels == choice[:, None, None]) & (labels >= 0)
    return torch.where(hidden.unsqueeze(1), fill, images)
