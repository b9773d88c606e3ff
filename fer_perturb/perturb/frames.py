"""Cluster maps go through the same warp as their images, and what comes in from outside is never masked.

torch warps float images and fills with 0 what it draws from outside. A map is therefore sent as label + 1, with
nearest-neighbour sampling, so that 0 means outside and comes back as -1:

    warped, field = augmentation(images, encode(labels))
    labels = decode(field)
"""

import torch
from torch import Tensor


def encode(labels: Tensor) -> Tensor:
    """Cluster maps (B, H, W), or one (H, W), in -1..n-1 -> float32 (B, 1, H, W), or (1, 1, H, W), in 0..n."""
    return labels.reshape(-1, 1, *labels.shape[-2:]).float() + 1


def decode(warped: Tensor) -> Tensor:
    """float (B, 1, H, W), as `encode` made it and a warp with nearest neighbour left it -> int8 (B, H, W)."""
    return (warped.squeeze(1).round() - 1).to(torch.int8)
