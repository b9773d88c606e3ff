import dataclasses

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform

from fer_perturb.data.augmentation.augment import Augmentation, AugmentationSettings, erase

NOTHING = AugmentationSettings(
    flip=0.0, affine=0.0, shift=0.0, scale=(1.0, 1.0), rotate=0.0, jitter=0.0, brightness=0.0, contrast=0.0,
    erase=0.0, erase_area=(0.1, 0.2),
)  # fmt: skip
ALL = AugmentationSettings(
    flip=0.5, affine=1.0, shift=0.1, scale=(0.9, 1.1), rotate=15.0, jitter=1.0, brightness=0.2, contrast=0.2,
    erase=0.5, erase_area=(0.05, 0.2),
)  # fmt: skip


@pytest.fixture
def images():
    return torch.randint(1, 256, (64, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def changed(settings, images):
    torch.manual_seed(0)
    out, _ = Augmentation(settings, None)(images)
    return (out - images.float() / 255).abs().amax(dim=(1, 2, 3)) > 1e-6


def reference(image, plane, draws, settings):
    """One image (H, W) in [0, 1] and its plane as `Augmentation` is to leave them, by scipy in double precision.

    draws: the image's ten numbers, uniform in [0, 1). Without crops and erasing.
    """
    flip, affine, angle, scale, right, down, brighter, brightness, harder, contrast = draws
    if flip < settings.flip:
        image, plane = image[:, ::-1], plane[:, ::-1]
    if affine < settings.affine:
        size = np.array(image.shape)
        turn = np.radians((2 * angle - 1) * settings.rotate)
        clockwise = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])  # of (row, column)
        back = np.linalg.inv(clockwise * (settings.scale[0] + (settings.scale[1] - settings.scale[0]) * scale))
        centre = (size - 1) / 2
        offset = centre - back @ (centre + (2 * np.array([down, right]) - 1) * settings.shift * size)
        image = affine_transform(image, back, offset, order=1, mode="nearest")
        plane = affine_transform(plane, back, offset, order=0, mode="grid-constant")
    if brighter < settings.jitter:
        image = np.clip(image + (2 * brightness - 1) * settings.brightness, 0, 1)
    if harder < settings.jitter:
        image = np.clip(image * (1 + (2 * contrast - 1) * settings.contrast), 0, 1)
    return image, plane


@pytest.mark.parametrize("size", [(48, 48), (24, 37)], ids=str)
@pytest.mark.parametrize("chance", [0.5, 1.0])
def test_each_image_and_its_plane_are_those_of_a_plain_reference(size, chance):
    settings = dataclasses.replace(ALL, affine=chance, rotate=60.0, jitter=chance, erase=0.0)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (64, 1, *size), dtype=torch.uint8, generator=generator)
    planes = torch.randint(1, 5, (64, 1, *size), generator=generator).float()
    torch.manual_seed(1)
    draws = torch.rand(10, 64).T.double().numpy()
    torch.manual_seed(1)
    out, warped = Augmentation(settings, None)(images, planes)
    unit = images.double().numpy() / 255
    expected = [reference(unit[i, 0], planes[i, 0].numpy(), draws[i], settings) for i in range(64)]
    assert np.allclose(out[:, 0], [image for image, _ in expected], atol=5e-5, rtol=0)
    differ = warped[:, 0].numpy() != [plane for _, plane in expected]
    assert differ.mean() < 1e-3  # a place halfway between two pixels may go to either


def test_nothing_changes_nothing(images):
    for crop in (None, 40):  # to the bit
        out, planes = Augmentation(NOTHING, crop)(images, images.float())
        whole = Augmentation(dataclasses.replace(NOTHING, jitter=1.0), crop)(images)[0]
        assert torch.equal(out, planes / 255)
        assert torch.equal(out, whole)
    assert torch.equal(Augmentation(NOTHING, None)(images)[0], images.float() / 255)


def test_a_flip_is_exact_and_what_is_not_moved_stays_as_it_is(images):
    """Beside images that are resampled, the others are not."""
    settings = dataclasses.replace(NOTHING, flip=0.5, affine=0.5, rotate=20.0)
    torch.manual_seed(0)
    out, planes = Augmentation(settings, None)(images, images.float())
    unit = images.float() / 255
    same, mirrored = (out == unit).flatten(1).all(dim=1), (out == unit.flip(-1)).flatten(1).all(dim=1)
    assert torch.equal(planes[same], images[same].float())
    assert torch.equal(planes[mirrored], images[mirrored].flip(-1).float())
    for share in (same, mirrored, ~same & ~mirrored):
        assert 0.1 < share.float().mean() < 0.7  # a quarter, a quarter, a half


def test_autocast_changes_nothing(images):
    augmentation = Augmentation(ALL, 40)
    torch.manual_seed(0)
    out, planes = augmentation(images, images.float())
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out_within, planes_within = augmentation(images, images.float())
    assert out_within.dtype == torch.float32
    assert torch.equal(out, out_within)
    assert torch.equal(planes, planes_within)


@pytest.mark.parametrize(
    "change",
    [
        {"flip": 0.5},
        {"affine": 0.5, "shift": 0.1},
        {"affine": 0.5, "scale": (0.8, 1.2)},
        {"affine": 0.5, "rotate": 20.0},
        {"jitter": 0.5, "brightness": 0.3},
        {"jitter": 0.5, "contrast": 0.3},
        {"erase": 0.5},
    ],
    ids=str,
)
def test_each_change_is_drawn_per_image(change, images):
    share = changed(dataclasses.replace(NOTHING, **change), images).float().mean()
    assert 0.2 < share < 0.95  # some images of the batch, not all or none


def test_jitter_stays_in_range(images):
    out, _ = Augmentation(ALL, None)(images)
    assert out.dtype == torch.float32
    assert out.min() >= 0
    assert out.max() <= 1


def test_brightness_is_added_and_contrast_multiplied_evenly_over_their_ranges():
    grey = torch.full((4096, 1, 2, 2), 51, dtype=torch.uint8)  # 0.2
    added = Augmentation(dataclasses.replace(NOTHING, jitter=1.0, brightness=0.1), None)(grey)[0] - 0.2
    factor = Augmentation(dataclasses.replace(NOTHING, jitter=1.0, contrast=0.5), None)(grey)[0] / 0.2 - 1
    for change, largest in ((added, 0.1), (factor, 0.5)):
        assert torch.equal(change, change[..., :1, :1].expand_as(change))
        quarters = torch.histc(change[:, 0, 0, 0], 4, -largest, largest) / 4096
        assert torch.allclose(quarters, torch.full((4,), 0.25), atol=0.03)  # and with it none outside the range


@pytest.mark.parametrize("size", [(48, 48), (40, 72)], ids=str)
def test_what_is_erased_is_one_rectangle_inside_the_image(size):
    torch.manual_seed(0)
    gone = erase(torch.ones(4000, 1, *size), 0.5, (0.04, 0.16))[:, 0] == 0
    some = gone.flatten(1).any(dim=1)
    assert some.float().mean() == pytest.approx(0.5, abs=0.03)
    gone = gone[some]
    tall, wide = gone.any(dim=2).sum(dim=1), gone.any(dim=1).sum(dim=1)
    area = gone.sum(dim=(1, 2))
    assert torch.equal(area, tall * wide)
    assert torch.equal(tall, last(gone.any(dim=2)) - first(gone.any(dim=2)) + 1)  # in one piece
    assert torch.equal(wide, last(gone.any(dim=1)) - first(gone.any(dim=1)) + 1)
    share = area / (size[0] * size[1])
    assert 0.03 < share.min() < 0.05 < 0.15 < share.max() < 0.18
    assert share.mean() == pytest.approx(0.1, abs=0.003)
    ratio = tall / wide
    assert 0.25 < ratio.min() < 0.33 < 3 < ratio.max() < 4
    assert (tall > wide).float().sum() / (tall != wide).sum() == pytest.approx(0.5, abs=0.03)
    for one, side, length in ((gone.any(dim=2), size[0], tall), (gone.any(dim=1), size[1], wide)):
        place = first(one) / (side - length)  # from one edge to the other
        assert place.min() == 0
        assert place.max() == 1
        assert place.mean() == pytest.approx(0.5, abs=0.03)


def first(lines):
    """The first line that is set in each row of bool (B, L)."""
    return lines.int().argmax(dim=1)


def last(lines):
    return lines.shape[1] - 1 - first(lines.flip(1))


def test_erasing_is_of_the_asked_size(images):
    settings = dataclasses.replace(NOTHING, erase=1.0, erase_area=(0.1, 0.2))
    out, _ = Augmentation(settings, None)(images)
    share = (out == 0).float().mean(dim=(1, 2, 3))
    assert share.min() > 0.09  # sides are whole pixels
    assert share.max() < 0.21


@pytest.mark.parametrize("size", [(48, 48), (30, 48)])
def test_a_large_rectangle_takes_a_shape_that_fits(size):
    torch.manual_seed(0)
    gone = erase(torch.ones(2000, 1, *size), 1.0, (0.5, 0.9))[:, 0] == 0
    share = gone.float().mean(dim=(1, 2))
    assert share.mean() == pytest.approx(0.7, abs=0.01)
    assert share.min() > 0.47


def test_planes_go_with_their_images(images):
    """A plane that holds the image's own brightest half is, after the warp, where the image is bright."""
    blocks = torch.zeros(64, 1, 48, 48, dtype=torch.uint8)
    blocks[:, :, 10:26, 6:20] = 255
    settings = dataclasses.replace(ALL, jitter=0.0, erase=0.0)
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


def test_the_settings_do_not_change_the_number_of_draws(images):
    after = []
    for settings in (NOTHING, ALL):
        torch.manual_seed(3)
        Augmentation(settings, None)(images)
        after.append(torch.rand(1))
    assert torch.equal(*after)


def test_each_crop_is_erased_by_itself(images):
    settings = dataclasses.replace(NOTHING, erase=1.0)
    out, _ = Augmentation(settings, 40)(images)
    where = (out == 0).unflatten(0, (5, 64))
    assert all((where[0] != where[k]).flatten(1).any(dim=1).all() for k in range(1, 5))


def test_five_crops(images):
    out, planes = Augmentation(NOTHING, 40)(images, torch.ones(64, 1, 48, 48))
    assert out.shape == planes.shape == (5 * 64, 1, 40, 40)
    unit = images.float() / 255
    assert torch.equal(out[:64], unit[..., :40, :40])
    assert torch.equal(out[-64:], unit[..., 4:44, 4:44])
