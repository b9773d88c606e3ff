import math
import warnings
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.clustering import adjusted_rand_score

from fer_perturb.perturb.clusters import (
    CHUNK,
    ClusterSettings,
    agreement,
    areas,
    changed,
    cluster_map,
    cluster_maps_per_image,
    position_only_map,
)
from fer_perturb.perturb.features import most_attended, pixel_features
from fer_perturb.perturb.views import masks

PAPER = ClusterSettings(n_clusters=3, position_weight=1.5, attention_weight=1.2, floor=0.0, top_share=1.0, restarts=10)
few = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 2**31)


def smooth_maps(count: int, side: int = 48, seed: int = 0) -> Tensor:
    coarse = torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=(side, side), mode="bicubic")[:, 0]


def eyes_and_mouth(side: int = 48) -> Tensor:
    """An ideal attention map: a bump on each eye and one on the mouth."""
    rows, columns = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    bumps = [(0.3, 0.38), (0.7, 0.38), (0.5, 0.78)]
    return sum((-((columns - x) ** 2 + (rows - y) ** 2) / 0.01).exp() for x, y in bumps) + torch.zeros(side, side)


def test_a_map_is_a_clustering_of_equation_1():
    attention = smooth_maps(1)[0]
    found = cluster_map(attention, PAPER, seed=0)
    assert (found.labels.shape, found.labels.dtype) == ((48, 48), torch.int8)
    points = pixel_features(attention, position_weight=1.5, attention_weight=1.2)
    distances = torch.cdist(points, found.centres)
    assert (distances.argmin(1).view(48, 48) == found.labels).float().mean() > 0.999
    assert found.inertia == pytest.approx(distances.min(1).values.square().sum().item(), rel=1e-4)


@few
@given(seeds, st.integers(3, 12), st.integers(3, 12), st.integers(1, 6), st.floats(0.2, 1.0), st.floats(0, 0.9))
def test_masks_are_a_partition_of_the_permitted_pixels(seed, height, width, n, share, floor):
    attention = torch.rand(height, width, generator=torch.Generator().manual_seed(seed))
    chosen = replace(PAPER, n_clusters=n, top_share=share, floor=floor, restarts=1)
    permitted = torch.zeros(height * width, dtype=torch.int64)
    permitted[most_attended(attention, share)] = 1
    if permitted.sum() < n:
        with pytest.raises(ValueError, match="distinct points"):
            cluster_map(attention, chosen, seed=seed)
        return
    found = cluster_map(attention, chosen, seed=seed)
    for labels in (found.labels, cluster_maps_per_image(attention[None], chosen, found.centres)[0]):
        assert torch.equal(masks(labels, n).sum(0).flatten(), permitted)
        assert torch.equal((labels >= 0).flatten().long(), permitted)
    assert areas(found.labels, n).sum().item() == pytest.approx(permitted.double().mean().item())


def test_seed_decides():
    attention = smooth_maps(1)[0]
    chosen = replace(PAPER, n_clusters=6, restarts=1)
    first, again = (cluster_map(attention, chosen, seed=4, iterations=2) for _ in range(2))
    assert torch.equal(first.labels, again.labels)
    assert torch.equal(first.centres, again.centres)
    assert len({cluster_map(attention, chosen, seed=s, iterations=2).inertia for s in range(5)}) > 1


def test_labels_follow_reading_order_at_first():
    for seed in range(5):
        found = cluster_map(eyes_and_mouth(), PAPER, seed=seed)
        # NOTES.md: the layout of least inertia has one cluster on top and two below
        x, y = found.centres[:, 0], found.centres[:, 1]
        assert y[0] < y[1] - 0.3
        assert y[0] < y[2] - 0.3
        assert x[1] < x[2]


@few
@given(seeds, st.permutations(range(3)))
def test_labels_follow_the_reference(seed, order):
    attention = smooth_maps(1, seed=seed, side=24)[0]
    first = cluster_map(attention, PAPER, seed=seed)
    order = torch.tensor(order)
    renamed = cluster_map(attention, PAPER, seed=seed, reference=first.centres[order])
    assert torch.equal(renamed.centres, first.centres[order])
    assert torch.equal(order[renamed.labels.long()], first.labels.long())


@few
@given(seeds, st.integers(1, 5))
def test_warm_start_on_unchanged_attention_keeps_the_labels(seed, n):
    attention = smooth_maps(1, seed=seed, side=24)[0]
    chosen = replace(PAPER, n_clusters=n, restarts=1)
    before = cluster_map(attention, chosen, seed=seed, iterations=300)
    centres = before.centres
    after = cluster_map(attention, chosen, seed=seed + 1, start=centres, reference=centres, iterations=300)
    assert changed(before.labels, after.labels) <= 0.002  # faiss's distances are rounded
    torch.testing.assert_close(after.centres, before.centres, atol=2e-3, rtol=0)


def test_a_third_of_the_image_each():
    # NOTES.md: with lambda 1.5, alpha 1.2 and k = 3 each cluster is about a third of the image
    for attention in (eyes_and_mouth(), *smooth_maps(4)):
        share = areas(cluster_map(attention, PAPER, seed=0).labels, 3)
        assert share.sum().item() == pytest.approx(1)
        assert (share > 0.2).all()
        assert (share < 0.45).all()


def test_agreement_with_position_falls_as_alpha_grows():
    attention = eyes_and_mouth()
    found = []
    for alpha in (0.0, 1.2, 3.0, 10.0):
        whole = cluster_map(attention, replace(PAPER, attention_weight=alpha), seed=0)
        by_position = position_only_map((48, 48), PAPER, seed=0, start=whole.centres)
        found.append(agreement(whole.labels, by_position.labels))
    assert found[0] > 0.95
    assert found[1] > 0.7  # attention moves the paper's clusters little
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.2


def test_position_only_map_next_to_a_map():
    # the four turns of a position-only layout are equally good, and a random start may find any of them
    lying = position_only_map((48, 48), PAPER, seed=0)
    for turns in range(4):
        turned = lying.labels.rot90(turns)
        x, y = torch.meshgrid(torch.linspace(0, 1.5, 48), torch.linspace(0, 1.5, 48), indexing="xy")
        centres = torch.stack([torch.stack((x[turned == c].mean(), y[turned == c].mean())) for c in range(3)])
        start = torch.cat((centres, torch.full((3, 1), 0.7)), dim=1)
        found = position_only_map((48, 48), PAPER, seed=0, start=start)
        assert changed(found.labels, turned) < 0.03
        assert (found.centres[:, 2] == 0).all()


def test_alpha_zero_is_the_position_only_map():
    by_position = position_only_map((20, 30), PAPER, seed=3)
    found = cluster_map(smooth_maps(1)[0, :20, :30], replace(PAPER, attention_weight=0.0), seed=3)
    assert torch.equal(found.labels, by_position.labels)
    assert (by_position.labels >= 0).all()
    assert (by_position.centres[:, 2] == 0).all()


def test_position_only_map_ignores_what_needs_attention():
    unit = replace(PAPER, position_weight=1.0)
    plain = position_only_map((16, 16), unit, seed=0).labels
    chosen = replace(PAPER, position_weight=0.0, top_share=0.3, floor=0.5)
    assert torch.equal(position_only_map((16, 16), chosen, seed=0).labels, plain)
    nowhere = torch.tensor([[0.0, 0.0, 0.2], [0.0, 0.0, 0.5], [0.0, 0.0, 1.1]])  # lambda = 0 has no positions
    assert torch.equal(position_only_map((16, 16), chosen, seed=0, start=nowhere).labels, plain)


def test_grey_image_in_place_of_attention():
    # the control `grey_value`: Eq. 1 read literally
    image = torch.randint(0, 256, (48, 48), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found = cluster_map(image, PAPER, seed=0)
    assert torch.equal(found.labels, cluster_map(image.float() / 255, PAPER, seed=0).labels)


def test_top_share_leaves_the_rest_unmasked():
    attention = eyes_and_mouth()
    found = cluster_map(attention, replace(PAPER, top_share=0.2), seed=0)
    hidden = found.labels >= 0
    assert hidden.sum() == round(0.2 * 48 * 48)
    assert attention[hidden].min() >= attention[~hidden].max()
    # with only the peaks left, the clusters are the two eyes and the mouth
    corners = found.centres[:, :2] / 1.5
    torch.testing.assert_close(corners, torch.tensor([[0.3, 0.38], [0.7, 0.38], [0.5, 0.78]]), atol=0.05, rtol=0)


# degenerate input


def test_constant_attention_is_clustered_by_position_alone():
    for value in (0.0, 0.7):
        found = cluster_map(torch.full((48, 48), value), PAPER, seed=0)
        assert torch.equal(found.labels, position_only_map((48, 48), PAPER, seed=0).labels)
    top = cluster_map(torch.full((10, 10), 0.7), replace(PAPER, top_share=0.5), seed=0)
    assert torch.equal((top.labels >= 0).sum(1), torch.tensor([10] * 5 + [0] * 5))  # ties: the first pixels


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_not_finite_is_refused(bad):
    attention = smooth_maps(2)
    attention[1, 0, 0] = bad
    with pytest.raises(ValueError, match="NaN"):
        cluster_map(attention[1], PAPER, seed=0)
    with pytest.raises(ValueError, match="NaN"):
        cluster_maps_per_image(attention, PAPER, torch.rand(3, 3))


def test_fewer_distinct_points_than_clusters_are_refused():
    flat = replace(PAPER, position_weight=0.0)
    with pytest.raises(ValueError, match="3 distinct points, there are 1 among 100"):
        cluster_map(torch.ones(10, 10), flat, seed=0)
    two = torch.ones(10, 10)
    two[3] = 0
    with pytest.raises(ValueError, match="3 distinct points, there are 2"):
        cluster_map(two, flat, seed=0)


def test_more_clusters_than_pixels_are_refused():
    with pytest.raises(ValueError, match="5 distinct points, there are 4 among 4"):
        cluster_map(torch.rand(2, 2), replace(PAPER, n_clusters=5), seed=0)
    with pytest.raises(ValueError, match="3 distinct points, there are 2 among 2"):
        cluster_map(torch.rand(10, 10), replace(PAPER, top_share=0.02), seed=0)
    one_each = cluster_map(torch.rand(2, 2), replace(PAPER, n_clusters=4), seed=0)
    assert one_each.labels.flatten().sort().values.tolist() == [0, 1, 2, 3]


def test_one_cluster_holds_all_permitted_pixels():
    attention = smooth_maps(1)[0]
    assert (cluster_map(attention, replace(PAPER, n_clusters=1), seed=0).labels == 0).all()
    half = replace(PAPER, n_clusters=1, top_share=0.5)
    found = cluster_map(attention, half, seed=0)
    assert areas(found.labels, 1).tolist() == [0.5]
    assert torch.equal(cluster_maps_per_image(attention[None], half, found.centres)[0], found.labels)


# a map per image


def test_identical_images_have_the_global_map():
    attention = smooth_maps(1)[0]
    for share in (1.0, 0.4):
        chosen = replace(PAPER, top_share=share)
        whole = cluster_map(attention, chosen, seed=0, iterations=200)
        found = cluster_maps_per_image(attention.expand(5, 48, 48), chosen, whole.centres, iterations=200)
        assert (found.shape, found.dtype) == ((5, 48, 48), torch.int8)
        assert all(torch.equal(own, found[0]) for own in found)
        assert changed(found[0], whole.labels) <= 0.001


def test_per_image_equals_cluster_map_from_the_same_start():
    attention = smooth_maps(6)
    chosen = replace(PAPER, floor=0.3, top_share=0.6)
    centres = cluster_map(attention.mean(0), chosen, seed=0).centres
    found = cluster_maps_per_image(attention, chosen, centres)
    for own, labels in zip(attention, found, strict=True):
        whole = cluster_map(own, chosen, seed=0, start=centres)
        match = cluster_map(own, chosen, seed=0, start=centres, reference=whole.centres)
        assert (labels >= 0).eq(match.labels >= 0).all()
        assert agreement(labels, match.labels) > 0.99


def test_per_image_in_chunks():
    attention = smooth_maps(CHUNK + 2, side=8)
    centres = cluster_map(attention.mean(0), PAPER, seed=0).centres
    found = cluster_maps_per_image(attention, PAPER, centres)
    for low in (0, CHUNK - 1, CHUNK, CHUNK + 1):
        own = cluster_maps_per_image(attention[low : low + 1], PAPER, centres)
        assert torch.equal(found[low], own[0])
    assert cluster_maps_per_image(attention[:0], PAPER, centres).shape == (0, 8, 8)


def test_an_emptied_cluster_has_an_empty_mask():
    attention = smooth_maps(3)
    centres = cluster_map(attention[0], PAPER, seed=0).centres
    centres[1] = 40.0
    found = cluster_maps_per_image(attention, PAPER, centres)
    assert not masks(found, 3)[:, 1].any()
    assert (found >= 0).all()
    flat = replace(PAPER, position_weight=0.0)  # all pixels alike: all in the nearest cluster
    centres = torch.tensor([[0.0, 0.0, 0.9], [0.0, 0.0, 0.1], [0.0, 0.0, 0.5]])
    assert (cluster_maps_per_image(torch.ones(2, 4, 4), flat, centres) == 1).all()


def test_centres_of_another_count_are_refused():
    with pytest.raises(ValueError, match="centres"):
        cluster_maps_per_image(smooth_maps(2), PAPER, torch.rand(4, 3))


# settings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_clusters", 0),
        ("n_clusters", 128),
        ("n_clusters", 2.0),
        ("n_clusters", True),
        ("position_weight", -1.0),
        ("position_weight", math.inf),
        ("attention_weight", math.nan),
        ("floor", 1.5),
        ("floor", math.nan),
        ("top_share", 0.0),
        ("top_share", 1.1),
        ("restarts", 0),
        ("restarts", 2.5),
    ],
)
def test_settings_out_of_range_name_their_key(key, value):
    with pytest.raises(ValueError, match=rf"(?s){key}\n.*Input should be "):
        replace(PAPER, **{key: value})


def test_settings_that_weigh_nothing():
    with pytest.raises(ValueError, match="position_weight and attention_weight are both 0"):
        replace(PAPER, position_weight=0.0, attention_weight=0)


# what there is to say about a map


def test_agreement_by_hand():
    a = torch.tensor([[0, 0, 1, 2]])
    assert agreement(a, torch.tensor([[0, 0, 1, 1]])) == pytest.approx(0.5714, abs=1e-4)
    assert agreement(a, torch.tensor([[5, 5, 0, 1]])) == 1.0
    assert agreement(torch.tensor([[0, 0, 1, 1]]), torch.tensor([[0, 1, 0, 1]])) == pytest.approx(-0.5)
    with_unclustered = torch.tensor([[0, 0, 1, 2, -1, 0]]), torch.tensor([[0, 0, 1, 1, 3, -1]])
    assert agreement(*with_unclustered) == pytest.approx(0.5714, abs=1e-4)


@few
@given(seeds, st.integers(1, 5), st.integers(1, 5), st.integers(1, 8), st.integers(1, 8))
def test_agreement_equals_torchmetrics(seed, n, m, height, width):
    generator = torch.Generator().manual_seed(seed)
    a = torch.randint(0, n, (height, width), generator=generator).to(torch.int8)
    b = torch.randint(0, m, (height, width), generator=generator).to(torch.int8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchmetrics' sparse tensor
        expected = adjusted_rand_score(a.flatten().long(), b.flatten().long()).item()
    assert agreement(a, b) == pytest.approx(expected, abs=1e-5)


def test_agreement_of_large_maps():
    # torchmetrics' whole numbers overflow here
    rows = (torch.arange(1024)[:, None] // 342).expand(1024, 1024)
    assert agreement(rows, rows.T) == pytest.approx(0, abs=0.01)
    assert agreement(rows, 2 - rows) == 1.0


def test_agreement_refuses():
    with pytest.raises(ValueError, match="in common"):
        agreement(torch.tensor([[0, -1]]), torch.tensor([[-1, 0]]))
    with pytest.raises(ValueError, match="shape"):
        agreement(torch.zeros(2, 2), torch.zeros(2, 3))


def test_areas_and_changed_by_hand():
    labels = torch.tensor([[0, 0, 1], [-1, 0, 3]], dtype=torch.int8)
    torch.testing.assert_close(areas(labels, 4), torch.tensor([3 / 6, 1 / 6, 0, 1 / 6]))
    torch.testing.assert_close(areas(labels.expand(7, 2, 3), 4), areas(labels, 4))
    assert changed(labels, labels) == 0
    assert changed(labels, torch.tensor([[0, 1, 1], [0, 0, 3]])) == pytest.approx(2 / 6)
    with pytest.raises(ValueError, match="shape"):
        changed(labels, labels.expand(2, 2, 3))
