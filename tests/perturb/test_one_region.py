import pytest
import torch

from fer_perturb.perturb.clusters import ClusterSettings, agreement, cluster_map, cluster_maps_per_image
from fer_perturb.perturb.one_region import one_region


def settings(n_clusters=3, **others):
    values = {"position_weight": 1.5, "attention_weight": 1.2, "floor": 0.0, "top_share": 1.0, "restarts": 3}
    return ClusterSettings(n_clusters=n_clusters, **{**values, **others})


def bump(row, column, width=6.0):
    rows, columns = torch.arange(48.0)[:, None], torch.arange(48.0)
    return torch.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * width**2))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("top_share", [1.0, 0.5])
def test_the_region_is_an_nth_of_the_pixels(n, top_share):
    chosen = settings(n, top_share=top_share)
    attention = bump(10, 12) + 0.5 * bump(40, 30)
    labels = cluster_map(attention, chosen, seed=0).labels
    for most in (True, False):
        region = one_region(attention[None], labels[None], chosen, most=most)[0]
        assert region.dtype == torch.int8
        assert int((region == 0).sum()) == round(round(top_share * 48 * 48) / n)
        assert (labels[region == 0] >= 0).all()


def test_it_lies_where_the_attention_is_most_or_least():
    chosen = settings()
    attention = bump(36, 24)  # a mouth
    labels = cluster_map(attention, chosen, seed=0).labels
    by_mean = sorted(range(3), key=lambda c: float(attention[labels == c].mean()))
    for most, cluster in ((True, by_mean[-1]), (False, by_mean[0])):
        region = one_region(attention[None], labels[None], chosen, most=most)[0] == 0
        of = labels == cluster
        # grown or shrunk at the border: one of the two holds the other
        assert (region & of).sum() == min(region.sum(), of.sum())
    most, least = (one_region(attention[None], labels[None], chosen, most=most)[0] == 0 for most in (True, False))
    assert attention[most].mean() > 10 * attention[least].mean()
    assert (most & least).sum() < 0.2 * most.sum()  # both grow where the third cluster is large


def test_a_cluster_of_an_nth_stays_as_it_is():
    """Two halves by position alone."""
    chosen = settings(2, attention_weight=0.0)
    attention = torch.linspace(0, 1, 48)[:, None].expand(48, 48)
    start = torch.tensor([[0.75, 0.4, 0.0], [0.75, 1.1, 0.0]])
    labels = cluster_map(attention, chosen, seed=0, start=start).labels
    region = one_region(attention[None], labels[None], chosen, most=True)[0]
    assert torch.equal(region == 0, labels == 1)


def test_each_map_for_itself():
    chosen = settings()
    attention = torch.stack([bump(10, 12), bump(36, 24), bump(12, 36) + 0.1])
    centres = cluster_map(attention.mean(dim=0), chosen, seed=0).centres
    labels = cluster_maps_per_image(attention, chosen, centres)
    together = one_region(attention, labels, chosen, most=True)
    for row in range(3):
        alone = one_region(attention[row : row + 1], labels[row : row + 1], chosen, most=True)
        assert torch.equal(together[row : row + 1], alone)
        assert attention[row][together[row] == 0].mean() > attention[row].mean()
    assert agreement(together[0] + 1, together[1] + 1) < 0.5
    assert one_region(attention[:0], labels[:0], chosen, most=True).shape == (0, 48, 48)


def test_an_empty_cluster_takes_no_part():
    chosen = settings()
    attention = bump(36, 24)
    labels = torch.zeros(48, 48, dtype=torch.int8)
    labels[24:] = 2  # no pixel has the label 1
    region = one_region(attention[None], labels[None], chosen, most=True)[0]
    assert int((region == 0).sum()) == 768
    assert (region[:24] == -1).all()
    one = one_region(attention[None], torch.zeros_like(labels)[None], chosen, most=True)[0]
    assert int((one == 0).sum()) == 768
