"""Taking away what a network reads lowers its answer fastest; the areas are those of known curves."""

import pytest
import torch
from known_networks import everyone, faces, reading

from fer_perturb.saliency.curves import STEPS, areas, curves, order, random_order
from fer_perturb.saliency.estimators import integrated_gradients


def test_ranks_follow_the_saliency() -> None:
    maps = torch.tensor([[[0.1, 0.9], [0.5, 0.5]]])
    assert order(maps).tolist() == [[3, 0, 1, 2]]
    ranks = random_order(5, (4, 6), seed=1)
    assert (ranks.sort(dim=1).values == torch.arange(24)).all()
    assert not torch.equal(ranks[0], ranks[1])
    assert torch.equal(ranks, random_order(5, (4, 6), seed=1))


def test_from_no_pixel_to_all() -> None:
    images, classes, parts, _ = faces(7)
    seeing = reading(everyone(parts, "mouth"))
    deleted, inserted = curves(seeing, images, classes, random_order(7, (48, 48), 0))
    whole = seeing(images).softmax(dim=1).gather(1, classes[:, None])[:, 0]
    grey = seeing(torch.full_like(images, seeing.mean)).softmax(dim=1).gather(1, classes[:, None])[:, 0]
    assert deleted.shape == inserted.shape == (7, STEPS + 1)
    torch.testing.assert_close(deleted[:, 0], whole)
    torch.testing.assert_close(inserted[:, -1], whole)
    torch.testing.assert_close(deleted[:, -1], grey)
    torch.testing.assert_close(inserted[:, 0], grey)


def test_what_a_network_reads_matters_more_than_what_it_does_not() -> None:
    """The mouth is a tenth of the pixels or so: without them the answer stays as it is on grey."""
    images, _, parts, _ = faces(14)
    mask = everyone(parts, "mouth")
    seeing = reading(mask)
    classes = seeing(images).argmax(dim=1)  # what it says, so that taking away lowers it
    best = order(integrated_gradients(seeing, images, classes))
    random = random_order(len(images), (48, 48), 0)
    of_best, of_random = (curves(seeing, images, classes, ranks) for ranks in (best, random))
    steps = 1 + int(torch.ceil(mask.float().mean() * STEPS))
    torch.testing.assert_close(of_best[0][:, steps], of_best[0][:, -1])
    torch.testing.assert_close(of_best[1][:, steps], of_best[1][:, -1])
    worst = order(-integrated_gradients(seeing, images, classes))
    unread, _ = curves(seeing, images, classes, worst)
    torch.testing.assert_close(unread[:, 8], unread[:, 0])
    assert (of_random[0][:, 4] - of_random[0][:, 0]).abs().mean() > 1e-3


@pytest.mark.parametrize(("curve", "area"), [([1.0, 1.0, 1.0], 1.0), ([0.0, 0.5, 1.0], 0.5), ([1.0, 0.0, 0.0], 0.25)])
def test_areas(curve: list[float], area: float) -> None:
    assert areas(torch.tensor([curve])).tolist() == pytest.approx([area])
