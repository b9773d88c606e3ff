"""Which pixels of a face are brows, eyes, nose and mouth, and which are none of them."""

import numpy as np
import torch
from torch import Tensor

from fer_perturb.data.occlusion.occluder import Occluder, Part
from fer_perturb.data.packed import PackedData
from fer_perturb.data.readers.drawn_faces import drawn_regions

FEATURES = ("brows", "eyes", "nose", "mouth")
PARTS = (*FEATURES, "rest")


def facial_parts(data: PackedData, split: str, rows: np.ndarray) -> Tensor:
    """bool (N, 5, H, W), in the order of PARTS: each pixel of these `rows` of a split belongs to one part.

    Of drawn faces what was drawn; of others what lies in the outlines of their landmarks that occluders hide
    (data/occlusion/features.py). A pixel of two features is the first one's. Raises UserError where there are no
    landmarks.
    """
    if _drawn(data, split):
        return divided(torch.from_numpy(drawn_regions(data, split)[rows]))
    data.require_landmarks("Where a network looks")
    landmarks = data.splits[split].landmarks
    assert landmarks is not None
    outlines = Occluder(tuple(Part(feature, 1.0, "mean") for feature in FEATURES))
    points = torch.from_numpy(np.asarray(landmarks[rows], dtype=np.float32))
    return divided(torch.stack(outlines.hidden(points, data.image_size), dim=1))


def divided(features: Tensor) -> Tensor:
    """Features bool (N, 4, H, W), which may overlap -> the parts, bool (N, 5, H, W), of which each pixel has one."""
    first = features & (features.cumsum(dim=1) == 1)
    return torch.cat([first, ~features.any(dim=1, keepdim=True)], dim=1)


def left_half(points: Tensor, size: tuple[int, int]) -> Tensor:
    """Landmarks (N, 68, 2) -> bool (N, H, W): the pixels nearer to the eye on the image's left than to the other."""
    left, right = points[:, 36:42].mean(dim=1), points[:, 42:48].mean(dim=1)
    along, middle = right - left, (left + right) / 2
    height, width = size
    x = torch.arange(width)[None, None] - middle[:, 0, None, None]
    y = torch.arange(height)[None, :, None] - middle[:, 1, None, None]
    return x * along[:, 0, None, None] + y * along[:, 1, None, None] < 0


def _drawn(data: PackedData, split: str) -> bool:
    known = data.manifest["arrays"].get(f"{split}/regions.npy")
    return known is not None and known["shape"][0] == len(data.splits[split])
