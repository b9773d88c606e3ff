import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_perturb.perturb.clusters import areas
from fer_perturb.schemes.regions.displaced import other_image, upside_down


def test_upside_down():
    labels = torch.tensor([[0, 1], [2, -1]], dtype=torch.int8)
    assert upside_down(labels).tolist() == [[2, -1], [0, 1]]
    batch = torch.randint(-1, 3, (5, 6, 7), dtype=torch.int8)
    assert torch.equal(upside_down(upside_down(batch)), batch)
    assert torch.equal(upside_down(batch)[3], upside_down(batch[3]))
    assert torch.equal(areas(upside_down(batch), 3), areas(batch, 3))


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 500))
def test_each_image_wears_the_map_of_one_other(n):
    index = torch.arange(n)
    other = other_image(index, n)
    assert (other != index).all()
    assert other.sort().values.tolist() == index.tolist()
    assert torch.equal(other_image(index[n // 2 :], n), other[n // 2 :])  # whatever the batch


def test_a_single_image_keeps_its_own():
    assert other_image(torch.tensor([0]), 1).tolist() == [0]
