import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_perturb.perturb.identity import match, reading_order, relabel

few = settings(deadline=None, max_examples=30)


def at(*xy: tuple[float, float]) -> torch.Tensor:
    return torch.tensor([[x, y, 0.5] for x, y in xy])


@pytest.mark.parametrize(
    ("centres", "expected"),
    [
        (at((0.7, 1.1), (1.1, 0.42), (0.4, 0.45)), [2, 1, 0]),  # left eye a little lower, right eye, mouth
        (at((0.7, 1.1), (1.1, 0.45), (0.4, 0.42)), [2, 1, 0]),  # right eye a little lower
        (at((1.1, 1.0), (0.4, 1.02), (0.75, 0.3)), [2, 1, 0]),  # one on top, two below
        (at((0.75, 1.2), (0.8, 0.3), (0.7, 0.75)), [1, 2, 0]),  # three bands
        (at((1.0, 0.5), (0.2, 0.5)), [1, 0]),  # side by side
        (at((0.2, 0.9), (0.9, 0.1)), [1, 0]),
        (at((0.3, 0.3)), [0]),
        (at((0.5, 0.5), (0.5, 0.5)), [0, 1]),
    ],
)
def test_reading_order_by_hand(centres, expected):
    assert reading_order(centres).tolist() == expected


@few
@given(st.integers(1, 6), st.integers(0, 2**31), st.floats(0.1, 10))
def test_reading_order_of_a_jittered_square_layout(side, seed, scale):
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    tidy = torch.stack((columns.flatten(), rows.flatten(), torch.zeros(side * side)), dim=1).float()
    tidy += 0.2 * (torch.rand(tidy.shape, generator=generator) - 0.5)
    shuffle = torch.randperm(side * side, generator=generator)
    order = reading_order(scale * tidy[shuffle])
    assert shuffle[order].tolist() == list(range(side * side))


@few
@given(st.integers(1, 12), st.integers(0, 2**31))
def test_reading_order_is_a_permutation_that_does_not_depend_on_the_labels(k, seed):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.rand(k, 3, generator=generator)
    order = reading_order(centres)
    assert order.sort().values.tolist() == list(range(k))
    shuffle = torch.randperm(k, generator=generator)
    assert torch.equal(centres[shuffle][reading_order(centres[shuffle])], centres[order])


@few
@given(st.integers(1, 12), st.integers(0, 2**31))
def test_matching_restores_a_permutation(k, seed):
    generator = torch.Generator().manual_seed(seed)
    reference = torch.rand(k, 3, generator=generator)
    labels = torch.randint(-1, k, (9, 11), generator=generator).to(torch.int8)
    shuffle = torch.randperm(k, generator=generator)
    renamed = relabel(labels, shuffle)
    assert torch.equal(renamed == -1, labels == -1)
    permutation = match(reference[shuffle], reference)
    assert permutation.dtype == torch.int64
    assert torch.equal(reference[shuffle][permutation], reference)
    assert torch.equal(relabel(renamed, permutation), labels)


def test_match_minimises_the_sum_not_each_distance():
    reference = torch.tensor([[0.0], [1.0]])
    # nearest first would give 0.9 to 1.0 and leave 2.0 for 0.0
    assert match(torch.tensor([[0.9], [2.0]]), reference).tolist() == [0, 1]


def test_relabel_by_hand_and_dtype():
    labels = torch.tensor([[-1, 0, 1], [2, 1, 0]], dtype=torch.int8)
    found = relabel(labels, torch.tensor([2, 0, 1]))  # label 2 becomes 0, 0 becomes 1, 1 becomes 2
    assert found.tolist() == [[-1, 1, 2], [0, 2, 1]]
    assert found.dtype == torch.int8


def test_match_refuses():
    with pytest.raises(ValueError, match="shape"):
        match(torch.rand(3, 3), torch.rand(2, 3))
    with pytest.raises(ValueError, match=r"invalid numeric entries|NaN"):
        match(torch.full((2, 3), float("nan")), torch.rand(2, 3))
