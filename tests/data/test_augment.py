import dataclasses

import pytest
import torch

from fer_perturb.data.augment import Augmentation, AugmentationSettings

NOTHING = AugmentationSettings(
    flip=0.0, affine=0.0, shift=0.0, scale=(1.0, 1.0), rotate=0.0, light=0.0, brightness=0.0, contrast=0.0,
    erase=0.0, erase_area=(0.1, 0.2),
)  # fmt: skip
ALL = AugmentationSettings(
    flip=0.5, affine=1.0, shift=0.1, scale=(0.9, 1.1), rotate=15.0, light=1.0, brightness=0.2, contrast=0.2,
    erase=0.5, erase_area=(0.05, 0.2),
)  # fmt: skip


@pytest.fixture
def images():
    return torch.randint(1, 256, (64, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def changed(settings, images):
    torch.manual_seed(0)
    out, _ = Augmentation(settings, None)(images)
    return (out - images.float() / 255).abs().amax(dim=(1, 2, 3)) > 1e-6


def test_nothing_changes_nothing(images):
    assert not changed(NOTHING, images).any()


@pytest.mark.parametrize(
    "change",
    [
        {"flip": 0.5},
        {"affine": 0.5, "shift": 0.1},
        {"affine": 0.5, "scale": (0.8, 1.2)},
        {"affine": 0.5, "rotate": 20.0},
        {"light": 0.5, "brightness": 0.3},
        {"light": 0.5, "contrast": 0.3},
        {"erase": 0.5},
    ],
    ids=str,
)
def test_each_change_is_drawn_per_image(change, images):
    share = changed(dataclasses.replace(NOTHING, **change), images).float().mean()
    assert 0.2 < share < 0.95  # some images of the batch, not all or none


def test_light_stays_in_range(images):
    out, _ = Augmentation(ALL, None)(images)
    assert out.dtype == torch.float32
    assert out.min() >= 0
    assert out.max() <= 1


def test_erasing_is_of_the_asked_size(images):
    settings = dataclasses.replace(NOTHING, erase=1.0, erase_area=(0.1, 0.2))
    out, _ = Augmentation(settings, None)(images)
    share = (out == 0).float().mean(dim=(1, 2, 3))
    assert share.min() > 0.04  # a tall or wide rectangle is cut at the border
    assert share.max() < 0.23


def test_planes_go_with_their_images(images):
    """A plane that holds the image's own brightest half is, after the warp, where the image is bright."""
    blocks = torch.zeros(64, 1, 48, 48, dtype=torch.uint8)
    blocks[:, :, 10:26, 6:20] = 255
    settings = dataclasses.replace(ALL, light=0.0, erase=0.0)
    torch.manual_seed(1)
    out, planes = Augmentation(settings, None)(blocks, blocks.float() / 255)
    disagree = ((out > 0.5) != (planes > 0.5)).float().mean(dim=(1, 2, 3))
    assert disagree.max() < 0.02  # bilinear against nearest, along the border alone
    assert set(planes.unique().tolist()) <= {0.0, 1.0}


def test_planes_do_not_change_the_draws(images):
    augmentation = Augmentation(ALL, 40)
    torch.manual_seed(2)
    alone, _ = augmentation(images)
    after_alone = torch.rand(1)
    torch.manual_seed(2)
    together, _ = augmentation(images, torch.ones(64, 1, 48, 48))
    assert torch.equal(alone, together)
    assert torch.equal(after_alone, torch.rand(1))


def test_five_crops(images):
    out, planes = Augmentation(NOTHING, 40)(images, torch.ones(64, 1, 48, 48))
    assert out.shape == planes.shape == (5 * 64, 1, 40, 40)
    unit = images.float() / 255
    assert torch.equal(out[:64], unit[..., :40, :40])
    assert torch.equal(out[-64:], unit[..., 4:44, 4:44])
