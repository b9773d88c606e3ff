"""Equation 1 of the paper: where a pixel lies, and how much it is attended."""

import torch
from torch import Tensor


def pixel_features(attention: Tensor, *, position_weight: float, attention_weight: float, floor: float = 0.0) -> Tensor:
    """The feature vectors whose Euclidean distance is Eq. 1 of the paper (section 3, Clustering).

    For two pixels P_ij and P_kl (column i or k, row j or l) of a map S,

        Dist = sqrt( (lambda (i - k))^2 + (lambda (j - l))^2 + (alpha (S_ij - S_kl))^2 )

    which is the distance between the rows (lambda i, lambda j, alpha S_ij) and (lambda k, lambda l, alpha S_kl).
    As in the author's code, columns, rows and S are first min-max scaled to [0, 1], each map on its own.
    The paper prints I for the intensity and I_jl for I_kl; the author's code uses the attention S.

    Args:
        attention: S, (..., H, W), any real dtype and range; a grey image gives Eq. 1 read literally.
        position_weight: lambda.
        attention_weight: alpha.
        floor: scaled values of S below this, in [0, 1], are set to 0.

    Returns:
        (..., H*W, 3) float32 in [0, lambda] x [0, lambda] x [0, alpha]: column, row, attention of each pixel,
        row by row; in memory it is three planes, as `batched_kmeans` wants them. A constant map has S = 0
        everywhere: position alone is left. So has a side of one pixel.

    Raises:
        ValueError: the map has no pixel, or holds NaN, infinity, or values too far apart for float32.
    """
    height, width = attention.shape[-2:]
    if attention.numel() == 0:
        raise ValueError(f"an attention map needs at least one pixel, this one has shape {tuple(attention.shape)}")
    rows = torch.linspace(0, position_weight, height, dtype=torch.float32, device=attention.device)[:, None]
    columns = torch.linspace(0, position_weight, width, dtype=torch.float32, device=attention.device)
    s = _min_max(attention.detach().float())
    s = attention_weight * s.masked_fill(s < floor, 0.0)
    planes = torch.stack((columns.expand_as(s), rows.expand_as(s), s), dim=-3)
    return planes.flatten(-2).mT


def most_attended(attention: Tensor, top_share: float) -> Tensor:
    """Which pixels may be masked: the `top_share` most attended of each map.

    Args:
        attention: (..., H, W), any real dtype.
        top_share: share of the pixels, in (0, 1].

    Returns:
        (..., M) int64, ascending flat indices (row * W + column), M = round(top_share * H * W), at least 1.
        Among equal values the lower index comes first, so a constant map gives its first M pixels.

    Raises:
        ValueError: `top_share` outside (0, 1], or NaN or infinity in the map.
    """
    if not 0 < top_share <= 1:
        raise ValueError(f"top_share is a share of the pixels in (0, 1], not {top_share}")
    flat = attention.detach().flatten(-2)
    if not torch.isfinite(flat).all():
        raise ValueError("the attention map holds NaN or infinity")
    count = max(1, round(top_share * flat.shape[-1]))
    if count == flat.shape[-1]:
        return torch.arange(count, device=flat.device).expand(flat.shape)
    ranked = flat.argsort(dim=-1, descending=True, stable=True)
    return ranked[..., :count].sort(dim=-1).values


def _min_max(maps: Tensor) -> Tensor:
    """(..., H, W) scaled to [0, 1], each map on its own; a constant map becomes 0."""
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    span = high - low  # NaN and infinity anywhere in a map show here
    if not torch.isfinite(span).all():
        raise ValueError("the attention map holds NaN, infinity, or values too far apart for float32")
    return (maps - low) / torch.where(span > 0, span, 1.0)
