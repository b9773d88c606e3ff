"""Shuffling destroys what was learned, layer by layer, and tells it by rank correlation."""

from itertools import pairwise

import pytest
import torch
from known_networks import MEAN, everyone, faces, reading
from scipy.stats import spearmanr

from fer_perturb.models.build import build_network
from fer_perturb.saliency.estimators import Seeing, gradient
from fer_perturb.saliency.shuffled import DEPTHS, cascade, rank_correlation


def test_rank_correlation_is_spearmans() -> None:
    random = torch.Generator().manual_seed(0)
    a = torch.randint(0, 9, (4, 6, 5), generator=random).float()  # with ties
    b = a + torch.randint(0, 9, (4, 6, 5), generator=random)
    expected = [float(spearmanr(one.flatten(), other.flatten()).statistic) for one, other in zip(a, b, strict=True)]
    assert rank_correlation(a, b).tolist() == pytest.approx(expected)
    assert rank_correlation(a, 3 * a + 1).tolist() == pytest.approx([1.0] * 4)
    assert bool(rank_correlation(a, torch.ones_like(a)).isnan().all())


def test_layers_are_shuffled_from_the_last_one_on_and_the_network_stays() -> None:
    torch.manual_seed(0)
    network = build_network("resnet_tiny", num_classes=7)
    images, _, _, _ = faces(7)
    seeing = Seeing(network, MEAN, 1.0)
    before = {name: of.clone() for name, of in network.state_dict().items()}
    shares, changed = [], []
    for share, shuffled in cascade(seeing, images, seed=0):
        shares.append(share)
        after = dict(shuffled.network.named_parameters())
        wide = {name: of for name, of in before.items() if name in after and of.ndim > 1}
        changed.append({name for name, of in wide.items() if not torch.equal(of, after[name])})
        for name, of in wide.items():
            assert torch.equal(of.flatten().sort().values, after[name].flatten().sort().values), name
        assert bool(shuffled(images).isfinite().all())
    assert len(shares) == len(DEPTHS)
    assert shares[-1] == 1
    assert len(changed[0]) == 1
    assert all(fewer < more for fewer, more in pairwise(changed))
    assert changed[-1] == {name for name, of in before.items() if of.ndim > 1}
    assert all(torch.equal(of, before[name]) for name, of in network.state_dict().items())
    again = [dict(of.network.named_parameters())["conv1.weight"].clone() for _, of in cascade(seeing, images, seed=0)]
    assert torch.equal(again[-1], dict(shuffled.network.named_parameters())["conv1.weight"])


def test_the_gradient_of_a_linear_network_changes_with_its_weights() -> None:
    """Its gradient is its weights: once those are shuffled, nothing of their places is left."""
    images, classes, parts, _ = faces(14)
    seeing = reading(torch.ones_like(everyone(parts, "mouth")))
    own = gradient(seeing, images, classes)
    *_, (_, shuffled) = cascade(seeing, images, seed=0)
    assert abs(float(rank_correlation(own, gradient(shuffled, images, classes)).mean())) < 0.05
