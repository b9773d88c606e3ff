"""Random rectangles as large as the clusters."""

import pytest
import torch
from fer_perturb.perturb.rectangles import all_rectangle_views, sample_rectangle_views

B, N, SIDE = 400, 3, 48


def sectors() -> torch.Tensor:
    """A map of three clusters of unlike areas, and a few pixels that are in none."""
    labels = torch.zeros(SIDE, SIDE, dtype=torch.int8)
    labels[16:] = 1
    labels[16:, 30:] = 2
    labels[:2, :5] = -1
    return labels


@pytest.mark.parametrize("per_image", [False, True])
def test_a_view_hides_one_rectangle_of_its_cluster_s_area(per_image: bool) -> None:
    torch.manual_seed(0)
    labels = sectors()
    maps = labels.expand(B, -1, -1) if per_image else labels
    images = torch.rand(B, 1, SIDE, SIDE) * 0.5 + 0.25
    views = all_rectangle_views(images, maps, N, fill=0.0)
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
    areas = (sample_rectangle_views(images, labels, choice, N, fill=0.0) == 0).sum(dim=(1, 2, 3)).float()
    for c in range(N):
        assert areas[choice == c].mean() == pytest.approx(float((labels == c).sum()), rel=0.02)
    assert (areas[choice == N] == 0).all()


def test_an_empty_cluster_hides_nothing() -> None:
    views = all_rectangle_views(torch.ones(2, 1, 8, 8), torch.zeros(8, 8, dtype=torch.int8), 2, fill=0.0)
    assert (views[0] == 0).all()  # the whole image is cluster 0
    assert (views[1:] == 1).all()
