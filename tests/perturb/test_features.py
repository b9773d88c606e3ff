import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_perturb.perturb.features import most_attended, pixel_features


def random_map(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


seeds = st.integers(0, 2**31)
sides = st.integers(2, 12)
weights = st.floats(0.0, 5.0)
few = settings(deadline=None, max_examples=30)


def test_equation_1_by_hand():
    attention = torch.tensor([[2.0, 4.0, 6.0], [2.0, 3.0, 2.0]])  # scaled: 0 .5 1 / 0 .25 0
    rows = pixel_features(attention, position_weight=1.5, attention_weight=1.2)
    expected = [  # column, row, attention
        [0.0, 0.0, 0.0],
        [0.75, 0.0, 0.6],
        [1.5, 0.0, 1.2],
        [0.0, 1.5, 0.0],
        [0.75, 1.5, 0.3],
        [1.5, 1.5, 0.0],
    ]
    torch.testing.assert_close(rows, torch.tensor(expected))
    assert torch.dist(rows[2], rows[4]).item() == pytest.approx(math.sqrt(0.75**2 + 1.5**2 + 0.9**2))


@few
@given(seeds, sides, sides, weights, weights, st.data())
def test_distance_of_two_rows_is_equation_1(seed, height, width, weight, alpha, data):
    attention = random_map(seed, height, width) * 7 - 3
    rows = pixel_features(attention, position_weight=weight, attention_weight=alpha)
    i, k = data.draw(st.tuples(*[st.integers(0, width - 1)] * 2))
    j, m = data.draw(st.tuples(*[st.integers(0, height - 1)] * 2))
    low, high = attention.min().item(), attention.max().item()
    across, down = (i - k) / (width - 1), (j - m) / (height - 1)
    apart = (attention[j, i].item() - attention[m, k].item()) / (high - low)
    expected = math.sqrt((weight * across) ** 2 + (weight * down) ** 2 + (alpha * apart) ** 2)
    found = torch.dist(rows[j * width + i].double(), rows[m * width + k].double()).item()
    assert found == pytest.approx(expected, abs=1e-5)


@few
@given(seeds, sides, sides, weights, weights, st.floats(0, 1))
def test_range(seed, height, width, weight, alpha, floor):
    rows = pixel_features(
        random_map(seed, 4, height, width), position_weight=weight, attention_weight=alpha, floor=floor
    )
    assert rows.shape == (4, height * width, 3)
    assert rows.dtype == torch.float32
    assert rows.amin() == 0
    bounds = torch.tensor([weight, weight, alpha])
    torch.testing.assert_close(rows.amax(1), bounds.expand(4, 3))
    s = rows[..., 2]
    assert ((s == 0) | (s >= alpha * floor - 1e-6)).all()


@few
@given(seeds, st.floats(0.01, 100), st.floats(-50, 50))
def test_unchanged_by_positive_affine_changes_of_the_attention(seed, gain, offset):
    attention = random_map(seed, 3, 9, 7).double()
    before = pixel_features(attention, position_weight=1.5, attention_weight=1.2)
    after = pixel_features(gain * attention + offset, position_weight=1.5, attention_weight=1.2)
    # float32 holds `offset` to 7 digits: what that leaves of the attention bounds the error
    torch.testing.assert_close(after, before, atol=1e-5 + 1e-6 * abs(offset) / gain, rtol=0)


def test_each_map_is_scaled_on_its_own():
    maps = random_map(0, 2, 3, 5, 6)
    rows = pixel_features(maps, position_weight=1.5, attention_weight=1.2)
    assert rows.shape == (2, 3, 30, 3)
    torch.testing.assert_close(rows[1, 2], pixel_features(maps[1, 2] * 9, position_weight=1.5, attention_weight=1.2))


def test_floor_is_applied_after_scaling():
    attention = torch.tensor([[10.0, 14.0], [15.0, 20.0]])  # scaled: 0 .4 / .5 1
    rows = pixel_features(attention, position_weight=1, attention_weight=1, floor=0.5)
    assert rows[:, 2].tolist() == [0.0, 0.0, 0.5, 1.0]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64])
def test_any_real_dtype(dtype):
    attention = torch.arange(0, 120, 10).reshape(3, 4).to(dtype)
    rows = pixel_features(attention, position_weight=1, attention_weight=1)
    assert rows.dtype == torch.float32
    torch.testing.assert_close(rows[:, 2], torch.linspace(0, 1, 12))


def test_constant_map_leaves_position_alone():
    rows = pixel_features(torch.full((5, 4), 0.3), position_weight=1.5, attention_weight=1.2)
    assert (rows[:, 2] == 0).all()
    assert len(rows.unique(dim=0)) == 20


def test_a_side_of_one_pixel():
    rows = pixel_features(torch.tensor([[1.0, 3.0, 2.0]]), position_weight=1, attention_weight=1)
    assert rows.tolist() == [[0, 0, 0], [0.5, 0, 1], [1, 0, 0.5]]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_not_finite_is_refused(bad):
    attention = torch.zeros(3, 4, 4, dtype=torch.float64)
    attention[1, 2, 3] = bad
    with pytest.raises(ValueError, match="NaN"):
        pixel_features(attention, position_weight=1, attention_weight=1)
    if bad != 1e300:
        with pytest.raises(ValueError, match="NaN"):
            most_attended(attention, 0.5)


def test_no_pixels_are_refused():
    with pytest.raises(ValueError, match="at least one pixel"):
        pixel_features(torch.zeros(0, 5), position_weight=1, attention_weight=1)


def test_no_gradient_is_kept():
    attention = random_map(0, 4, 4).requires_grad_()
    assert not pixel_features(attention, position_weight=1, attention_weight=1).requires_grad


def test_most_attended_by_hand():
    attention = torch.tensor([[0.1, 0.9, 0.5], [0.5, 0.5, 0.2]])
    assert most_attended(attention, 0.5).tolist() == [1, 2, 3]  # of the three 0.5 the first two
    assert most_attended(attention, 1.0).tolist() == [0, 1, 2, 3, 4, 5]
    assert most_attended(attention, 0.01).tolist() == [1]  # at least one pixel
    assert most_attended(torch.zeros(2, 3), 0.5).tolist() == [0, 1, 2]


@few
@given(seeds, sides, sides, st.floats(0.001, 1.0))
def test_most_attended_are_the_largest(seed, height, width, share):
    attention = (random_map(seed, 3, height, width) * 8).round()  # with many ties
    kept = most_attended(attention, share)
    size = height * width
    assert kept.shape == (3, max(1, round(share * size)))
    assert (kept.diff(dim=1) > 0).all()
    for flat, indices in zip(attention.flatten(1), kept, strict=True):
        rest = torch.ones(size, dtype=torch.bool)
        rest[indices] = False
        if rest.any():
            threshold = flat[indices].min()
            assert threshold >= flat[rest].max()
            tied_in = indices[flat[indices] == threshold]
            tied_out = rest.nonzero()[:, 0][flat[rest] == threshold]
            assert len(tied_out) == 0 or tied_in.max() < tied_out.min()


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, math.nan])
def test_top_share_out_of_range(share):
    with pytest.raises(ValueError, match="top_share"):
        most_attended(torch.rand(3, 3), share)
