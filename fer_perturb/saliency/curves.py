"""Whether it matters where a network looks: pixels are taken away, or given, in that order (Petsiuk et al. 2018)."""

import torch
from torch import Tensor

from fer_perturb.saliency.estimators import Seeing, chunks

STEPS = 16  # of a curve: so many times as many more pixels


def order(maps: Tensor) -> Tensor:
    """Saliency (N, h, w) -> int64 (N, h * w): each pixel's rank, 0 = the most salient; of equal ones the first."""
    ranked = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    return ranked.argsort(dim=1)


def random_order(count: int, size: tuple[int, int], seed: int) -> Tensor:
    """The control: the ranks of pixels in random order."""
    drawn = torch.Generator().manual_seed(seed)
    return torch.rand(count, size[0] * size[1], generator=drawn).argsort(dim=1).argsort(dim=1)


@torch.no_grad()
def curves(seeing: Seeing, images: Tensor, classes: Tensor, ranks: Tensor) -> tuple[Tensor, Tensor]:
    """The probability of each image's class, when more and more pixels are replaced by the mean grey, and when more and
    more of a grey image are replaced by the image's, in the order of `ranks` (N, h * w).

    Returns deletion and insertion, float32 (N, STEPS + 1) from no pixel to all.
    """
    pixels = ranks.shape[1]
    first = torch.linspace(0, pixels, STEPS + 1).round().long()
    deleted, inserted = [], []
    for some, of, rank in zip(chunks(images), chunks(classes), chunks(ranks), strict=True):
        taken = rank.to(some.device).view(len(some), 1, *some.shape[-2:])
        without, alone = [], []
        for count in first.tolist():
            gone = taken < count
            without.append(_probability(seeing, torch.where(gone, seeing.mean, some), of))
            alone.append(_probability(seeing, torch.where(gone, some, seeing.mean), of))
        deleted.append(torch.stack(without, dim=1))
        inserted.append(torch.stack(alone, dim=1))
    return torch.cat(deleted), torch.cat(inserted)


def areas(curve: Tensor) -> Tensor:
    """(N, STEPS + 1) -> (N,): the area under each curve, in [0, 1], by trapezoids."""
    return torch.trapezoid(curve, dim=1) / (curve.shape[1] - 1)


def _probability(seeing: Seeing, images: Tensor, classes: Tensor) -> Tensor:
    shares: Tensor = seeing(images).softmax(dim=1)
    return shares.gather(1, classes[:, None])[:, 0].cpu()
