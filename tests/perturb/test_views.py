import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_perturb.perturb.views import all_views, draw_views, hidden, hide, masks

few = settings(deadline=None, max_examples=30)
FILL = -7.0  # no pixel of the random images has this value


@st.composite
def cases(draw):
    batch, n, height, width = (draw(st.integers(1, high)) for high in (4, 5, 9, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    images = torch.randn(batch, draw(st.sampled_from([1, 3])), height, width, generator=generator)
    shape = (batch, height, width) if draw(st.booleans()) else (height, width)
    labels = torch.randint(-1, n, shape, generator=generator)
    return images, labels.to(draw(st.sampled_from([torch.int8, torch.int32, torch.int64]))), n, generator


def test_by_hand():
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    labels = torch.tensor([[0, 1], [-1, 0]], dtype=torch.int8)
    views = all_views(image, labels, 2, fill=0.0)
    assert views.tolist() == [[[[[0, 2], [3, 0]]]], [[[[1, 0], [3, 4]]]], [[[[1, 2], [3, 4]]]]]
    assert masks(labels, 2).tolist() == [[[True, False], [False, True]], [[False, True], [False, False]]]


@few
@given(cases())
def test_masks_are_a_partition_of_the_permitted_pixels(case):
    _, labels, n, _ = case
    found = masks(labels, n)
    assert found.dtype == torch.bool
    assert found.shape == (*labels.shape[:-2], n, *labels.shape[-2:])
    assert torch.equal(found.sum(-3), (labels >= 0).long())  # each exactly once, the others never


@few
@given(cases())
def test_view_stack(case):
    images, labels, n, _ = case
    views = all_views(images, labels, n, FILL)
    assert views.shape == (n + 1, *images.shape)
    assert torch.equal(views[-1], images)
    black = views == FILL
    assert (black.sum(0) <= 1).all()
    assert torch.equal(black.any(0), (labels >= 0).unsqueeze(-3).expand_as(images))
    assert torch.equal(views[~black], images.expand_as(views)[~black])
    for c in range(n):
        assert torch.equal(black[c], (labels == c).unsqueeze(-3).expand_as(images))


@few
@given(cases())
def test_sampled_views_are_those_of_the_stack(case):
    images, labels, n, generator = case
    choice = torch.randint(0, n + 1, (len(images),), generator=generator)
    expected = all_views(images, labels, n, FILL)[choice, torch.arange(len(images))]
    assert torch.equal(hide(images, hidden(labels, choice[None]), FILL)[0], expected)


def test_choosing_minus_one_masks_nothing():
    images, labels = torch.randn(2, 1, 3, 3), torch.full((3, 3), -1)
    assert torch.equal(hide(images, hidden(labels, torch.tensor([[-1, 0]])), FILL)[0], images)


def test_an_empty_cluster_shows_the_image():
    images, labels = torch.randn(2, 1, 4, 4), torch.zeros(4, 4, dtype=torch.int8)
    views = all_views(images, labels, 3, FILL)
    assert torch.equal(views[1], images)
    assert torch.equal(views[2], images)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("per_image", [False, True])
def test_dtype_and_memory_format_are_kept(dtype, memory_format, per_image):
    images = torch.randn(4, 3, 6, 5).to(dtype).contiguous(memory_format=memory_format)
    labels = torch.randint(-1, 2, (4, 6, 5) if per_image else (6, 5), dtype=torch.int8)
    views = all_views(images, labels, 2, 0.5)
    sampled = hide(images, hidden(labels, torch.tensor([[0, 1, 2, 0]])), 0.5)[0]
    assert views.dtype == sampled.dtype == dtype
    assert sampled.is_contiguous(memory_format=memory_format)
    assert all(view.is_contiguous(memory_format=memory_format) for view in views)
    assert views.flatten(0, 1).is_contiguous(memory_format=memory_format)
    assert views.flatten(0, 1).data_ptr() == views.data_ptr()  # one batch of all views without a copy


def test_gradients_flow_where_the_image_shows():
    images = torch.randn(1, 1, 2, 2, requires_grad=True)
    labels = torch.tensor([[0, 0], [1, -1]])
    all_views(images, labels, 2, 0.0).sum().backward()
    assert images.grad is not None
    assert images.grad[0, 0].tolist() == [[2, 2], [2, 3]]


@pytest.mark.parametrize(("share", "expected"), [(None, 0.25), (0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_the_share_of_whole_images(share, expected):
    torch.manual_seed(0)
    choice = draw_views(20_000, 3, share, torch.device("cpu"))
    shares = torch.bincount(choice, minlength=4) / len(choice)
    assert shares[3] == pytest.approx(expected, abs=0.015)
    assert shares[:3].tolist() == pytest.approx([(1 - expected) / 3] * 3, abs=0.015)
