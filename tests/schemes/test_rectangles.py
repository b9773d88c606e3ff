"""Random rectangles as large as the clusters."""

import pytest
import torch

from fer_perturb.perturb.views import hide
from fer_perturb.schemes.regions.batch_clusters import BatchClusters
from fer_perturb.schemes.regions.rectangles import Rectangles
from fer_perturb.schemes.views import all_views

B, N, SIDE = 400, 3, 48


def rectangles(n: int = N) -> Rectangles:
    clusters = BatchClusters(
        n_clusters=n,
        position_weight=1.5,
        attention_weight=1.2,
        floor=0.0,
        top_share=1.0,
        restarts=1,
        init="random",
        every_n_epochs=1,
    )
    return Rectangles(of=clusters)


def sectors() -> torch.Tensor:
    """A map of three clusters of unlike areas, and a few pixels that are in none."""
    labels = torch.zeros(SIDE, SIDE, dtype=torch.int8)
    labels[16:] = 1
    labels[16:, 30:] = 2
    labels[:2, :5] = -1
    return labels


def test_a_view_hides_one_rectangle_of_its_cluster_s_area() -> None:
    torch.manual_seed(0)
    labels = sectors()
    maps = labels.expand(B, -1, -1)
    images = torch.rand(B, 1, SIDE, SIDE) * 0.5 + 0.25
    of_all = all_views(B, N, images.device)
    views = hide(images, rectangles().hidden_in_training(maps, of_all), 0.0)
    assert views.shape == (N + 1, B, 1, SIDE, SIDE)
    assert torch.equal(views[-1], images)
    hidden = views[:, :, 0] == 0
    assert torch.equal(views[~hidden.unsqueeze(2)], images.expand_as(views)[~hidden.unsqueeze(2)])
    for c in range(N):
        areas = hidden[c].sum(dim=(1, 2)).float()
        assert areas.mean() == pytest.approx(float((labels == c).sum()), rel=0.02)
        rows, columns = hidden[c].any(dim=2).sum(dim=1), hidden[c].any(dim=1).sum(dim=1)
        assert torch.equal((rows * columns).float(), areas)  # filled rectangles
        assert len(areas.unique()) > 3  # each drawn for itself


def test_a_sampled_view_hides_the_area_of_the_cluster_that_was_drawn() -> None:
    torch.manual_seed(0)
    labels, images = sectors(), torch.ones(B, 1, SIDE, SIDE)
    choice = torch.arange(B) % (N + 1)
    maps = labels.expand(B, -1, -1)
    views = hide(images, rectangles().hidden_in_training(maps, choice[None]), 0.0)[0]
    areas = (views == 0).sum(dim=(1, 2, 3)).float()
    for c in range(N):
        assert areas[choice == c].mean() == pytest.approx(float((labels == c).sum()), rel=0.02)
    assert (areas[choice == N] == 0).all()


def test_an_empty_cluster_hides_nothing() -> None:
    maps = torch.zeros(2, 8, 8, dtype=torch.int8)
    hidden = rectangles(2).hidden_in_training(maps, all_views(2, 2, maps.device))
    views = hide(torch.ones(2, 1, 8, 8), hidden, 0.0)
    assert (views[0] == 0).all()  # the whole image is cluster 0
    assert (views[1:] == 1).all()


def test_in_testing_the_clusters_are_hidden() -> None:
    maps = sectors().expand(2, -1, -1)
    views = all_views(2, N, maps.device)
    assert torch.equal(rectangles().hidden(maps, views), rectangles().of.hidden(maps, views))
