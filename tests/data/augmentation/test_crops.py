import pytest
import torch
from torchvision.transforms.functional import ten_crop

from fer_perturb.data.augmentation.crops import centre_crop, five_crops
from fer_perturb.data.augmentation.crops import test_time_crops as crops_in_testing

IMAGES = torch.rand(3, 1, 48, 46, generator=torch.Generator().manual_seed(0))


def test_five_crops_are_torchvisions():
    ours = five_crops(IMAGES, 40).chunk(5)
    assert all(torch.equal(a, b) for a, b in zip(ours, ten_crop(IMAGES, 40)[:5], strict=True))


def test_ten_crops_are_torchvisions_with_the_centre_first():
    ours = crops_in_testing(IMAGES, "ten", 40)
    assert ours.shape == (10, 3, 1, 40, 40)
    assert torch.equal(ours[0], centre_crop(IMAGES, 40))
    theirs = list(ten_crop(IMAGES, 40))
    assert all(any(torch.equal(crop, other) for other in theirs) for crop in ours)


@pytest.mark.parametrize("crop", [None, 40])
def test_flip_is_the_plain_image_and_its_mirror(crop):
    plain, mirrored = crops_in_testing(IMAGES, "flip", crop)
    assert torch.equal(plain, crops_in_testing(IMAGES, "none", crop)[0])
    assert torch.equal(mirrored, plain.flip(-1))


def test_ten_of_the_whole_image_are_its_shifts():
    ours = crops_in_testing(IMAGES, "ten", None)
    assert ours.shape == (10, *IMAGES.shape)
    assert torch.equal(ours[:6:5], crops_in_testing(IMAGES, "flip", None))
    for shifted, (down, right) in zip(ours[1:5], [(-4, -4), (-4, 4), (4, -4), (4, 4)], strict=True):
        rows, columns = (torch.arange(n) for n in IMAGES.shape[-2:])
        there = (rows + -down).clamp(0, 47)[:, None], (columns + -right).clamp(0, 45)  # the edge goes on
        assert torch.equal(shifted, IMAGES[..., there[0], there[1]])
