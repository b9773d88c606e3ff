"""Networks of which it is known where they look, and faces of which it is known where their features are."""

import numpy as np
import torch
from torch import Tensor, nn

from fer_perturb.data.drawn_faces.drawing import draw_faces
from fer_perturb.saliency.estimators import Seeing
from fer_perturb.saliency.regions import PARTS, divided

CLASSES, MEAN = 7, 0.5


class Reads(nn.Module):
    """Sees nothing but how far the pixels of `mask`, (h, w), are from the mean grey; adds that up with weights."""

    def __init__(self, mask: Tensor, seed: int = 0) -> None:
        super().__init__()
        self.register_buffer("mask", mask.float())
        self.stage = nn.Conv2d(1, CLASSES, kernel_size=1)
        self.last = nn.Linear(mask.numel(), CLASSES, bias=False)
        self.feature_info = [{"module": "stage", "num_chs": CLASSES, "reduction": 1}]
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.stage.weight.copy_(0.5 + torch.rand(self.stage.weight.shape, generator=random))
            self.stage.bias.zero_()
            self.last.weight.copy_(torch.randn(self.last.weight.shape, generator=random).abs())

    def forward(self, images: Tensor) -> Tensor:
        each = self.stage(images.abs() * self.mask)  # (N, CLASSES, h, w)
        return 0.1 * (each.flatten(2) * self.last.weight).sum(dim=2)


def reading(mask: Tensor) -> Seeing:
    return Seeing(Reads(mask), MEAN, 1.0)


def faces(count: int = 21) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images float (N, 1, 48, 48) in [0, 1], classes (N,), parts bool (N, 5, 48, 48), landmarks (N, 68, 2)."""
    drawn = draw_faces(count, seed=3)
    images = torch.from_numpy(drawn.images[:, None]).float() / 255
    parts = divided(torch.from_numpy(drawn.regions))
    return images, torch.from_numpy(drawn.labels.astype(np.int64)), parts, torch.from_numpy(drawn.landmarks)


def everyone(parts: Tensor, name: str) -> Tensor:
    """bool (h, w): the pixels at which any of the faces has that part."""
    return parts[:, PARTS.index(name)].any(dim=0)
