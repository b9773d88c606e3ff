"""The sanity check: does saliency change when what the network has learned is destroyed (Adebayo et al. 2018)?"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from fer_perturb.saliency.estimators import Seeing, chunks

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)  # share of the layers whose weights are shuffled; 0 = the last layer alone


def cascade(seeing: Seeing, images: Tensor, seed: int) -> Iterator[tuple[float, Seeing]]:
    """Copies of a network in which more and more layers' weights, from the last one on, are shuffled among themselves.

    Shuffled weights keep their distribution and have nothing learned in their places. Batch norm's statistics are made
    anew from `images`. Yields the share of the layers that are shuffled, and the network; the same seed, the same ones.
    """
    random = torch.Generator().manual_seed(seed)
    shuffling = Seeing(copy.deepcopy(seeing.network), seeing.mean, seeing.std)
    layers = [module for module in shuffling.network.modules() if any(p.ndim > 1 for p in module.parameters(False))]
    done = 0
    for depth in DEPTHS:
        until = max(1, round(depth * len(layers)))
        for layer in layers[::-1][done:until]:
            for weights in layer.parameters(recurse=False):
                flat = weights.flatten()
                weights.copy_(flat[torch.randperm(len(flat), generator=random).to(flat.device)].view_as(weights))
        done = until
        with torch.no_grad():
            update_bn(chunks(images), shuffling)
        yield until / len(layers), shuffling


def rank_correlation(one: Tensor, other: Tensor) -> Tensor:
    """Spearman's, of two saliency maps of each image, (N, h, w) both: float64 (N,); NaN where a map is constant.

    Equal values share their mean rank.
    """
    ranked = [_ranks(maps.flatten(1).double()) for maps in (one, other)]
    a, b = (ranks - ranks.mean(dim=1, keepdim=True) for ranks in ranked)
    spread = a.norm(dim=1) * b.norm(dim=1)
    return torch.where(spread > 0, (a * b).sum(dim=1) / spread, torch.nan)


def _ranks(values: Tensor) -> Tensor:
    """(N, P) -> the rank of each value in its row, float64; equal values have their mean rank."""
    ordered, places = values.sort(dim=1)
    places_of = torch.arange(values.shape[1], dtype=torch.float64, device=values.device).expand_as(values)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    group = new.long().cumsum(dim=1) - 1  # of equal values
    sums = torch.zeros_like(values).scatter_add_(1, group, places_of)
    sizes = torch.zeros_like(values).scatter_add_(1, group, torch.ones_like(values))
    means = (sums / sizes.clamp(min=1)).gather(1, group)
    return torch.empty_like(values).scatter_(1, places, means)
