import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import max_pool2d

from fer_perturb.data.augmentation.augment import Augmentation, AugmentationSettings, sampling_grid, warp
from fer_perturb.perturb.frames import decode, encode


def random_labels(*shape: int, n: int = 3) -> torch.Tensor:
    return torch.randint(-1, n, shape, generator=torch.Generator().manual_seed(0)).to(torch.int8)


def test_there_and_back():
    labels = random_labels(4, 9, 7)
    field = encode(labels)
    assert (field.shape, field.dtype) == ((4, 1, 9, 7), torch.float32)
    assert field.min() == 0  # -1, and what a warp draws from outside
    back = decode(field)
    assert back.dtype == torch.int8
    assert torch.equal(back, labels)
    assert torch.equal(decode(field + 0.4), labels)  # rounded, not cut


def test_one_map_for_all_images():
    labels = random_labels(9, 7)
    assert encode(labels).shape == (1, 1, 9, 7)
    assert torch.equal(encode(labels.expand(5, 9, 7)), encode(labels).expand(5, 1, 9, 7))


def numbers(*values: float) -> torch.Tensor:
    """One number an image, (B, 1, 1, 1)."""
    return torch.tensor(values).view(-1, 1, 1, 1)


@given(
    seed=st.integers(0, 2**31 - 1),
    shape=st.tuples(st.integers(1, 6), st.integers(4, 40), st.integers(4, 40)),
    n=st.integers(1, 127),
    flip=st.sampled_from([0.0, 0.5, 1.0]),
    degrees=st.floats(0, 180),
    shift=st.floats(0, 0.5),
    scale=st.floats(0.5, 1.5),
)
@settings(deadline=None, max_examples=60)
def test_no_label_is_invented_and_none_leaves_its_place(seed, shape, n, flip, degrees, shift, scale):
    """Maps that hold their pixels' own numbers come back with each number where its pixel went."""
    labels = torch.randint(-1, n, shape, generator=torch.Generator().manual_seed(seed)).to(torch.int8)
    places = torch.arange(shape[1] * shape[2]).view(1, 1, *shape[1:]).expand(shape[0], 1, -1, -1).float() + 1
    chances = {"flip": flip, "affine": 1.0, "jitter": 1.0, "erase": 0.5}
    ranges = {"shift": shift, "scale": (scale, scale), "rotate": degrees, "brightness": 0.1, "contrast": 0.1}
    augmentation = Augmentation(AugmentationSettings(**chances, **ranges, erase_area=(0.1, 0.2)), crop=None)
    images = torch.zeros(shape[0], 1, *shape[1:], dtype=torch.uint8)
    torch.manual_seed(seed)
    moved = decode(augmentation(images, encode(labels))[1])
    torch.manual_seed(seed)
    origin = augmentation(images, places)[1].long().flatten(1) - 1  # -1: from outside
    expected = labels.flatten(1).gather(1, origin.clamp(min=0)).where(origin >= 0, torch.tensor(-1, dtype=torch.int8))
    assert torch.equal(moved.flatten(1), expected)


@given(seed=st.integers(0, 2**31 - 1), degrees=st.floats(1, 180), shift=st.floats(0.1, 0.4))
@settings(deadline=None, max_examples=20)
def test_a_map_of_the_training_augmentation_stays_on_its_image(seed, degrees, shift):
    """There the image is blended and continued beyond its edge, its map is neither."""
    patches = torch.randint(-1, 3, (4, 6, 6), generator=torch.Generator().manual_seed(seed))
    labels = patches.repeat_interleave(8, -1).repeat_interleave(8, -2).to(torch.int8)
    chances = {"flip": 0.5, "affine": 1.0, "jitter": 0.0, "erase": 0.0}
    ranges = {"shift": shift, "scale": (0.7, 1.2), "rotate": degrees, "brightness": 0.0, "contrast": 0.0}
    augmentation = Augmentation(AugmentationSettings(**chances, **ranges, erase_area=(0.1, 0.2)), crop=None)
    torch.manual_seed(seed)
    shown, field = augmentation(((labels.long() + 2) * 50).to(torch.uint8).unsqueeze(1), encode(labels))
    grey, moved = shown[:, 0] * 255, decode(field).long()
    alike = max_pool2d(grey, 3, 1, 1) + max_pool2d(-grey, 3, 1, 1) < 1e-2  # a pixel and all of its neighbours
    inside = alike & (moved >= 0)
    assert inside.float().mean() > 0.05
    assert torch.equal(moved[inside], (grey[inside] / 50).round().long() - 2)
    assert (moved != labels).float().mean() > 0.1  # they did move


def test_a_quarter_turn_and_a_flip_by_hand():
    labels = torch.tensor([[0, 1], [2, -1]], dtype=torch.int8).repeat_interleave(4, 0).repeat_interleave(4, 1)
    image = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + 1
    zero, clockwise = numbers(0.0), numbers(torch.pi / 2)
    turn = sampling_grid((8, 8), angle=clockwise, scale=numbers(1.0), right=zero, down=zero)
    for flipped, expected, shown in (
        (False, labels.rot90(-1), image.rot90(-1, (2, 3))),
        (True, labels.flip(-1).rot90(-1), image.flip(-1).rot90(-1, (2, 3))),
    ):
        which = (torch.tensor(flipped), torch.tensor(True), turn)
        assert torch.equal(decode(warp(encode(labels), *which, mode="nearest", padding="zeros"))[0], expected)
        torch.testing.assert_close(warp(image, *which, mode="bilinear", padding="border"), shown)


def test_a_shift_is_to_the_right_and_down_and_a_scale_above_one_enlarges():
    labels = random_labels(1, 20, 10)
    zero, always = numbers(0.0), (torch.tensor(False), torch.tensor(True))
    moved = sampling_grid((20, 10), angle=zero, scale=numbers(1.0), right=numbers(0.3), down=numbers(0.1))
    there = decode(warp(encode(labels), *always, moved, mode="nearest", padding="zeros"))
    assert torch.equal(there[:, 2:, 3:], labels[:, :-2, :-3])
    assert (there[:, :2] == -1).all()
    assert (there[:, :, :3] == -1).all()
    larger = sampling_grid((20, 10), angle=zero, scale=numbers(2.0), right=zero, down=zero)
    there = decode(warp(encode(labels), *always, larger, mode="nearest", padding="zeros"))
    middle = labels[:, 5:15].repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert torch.equal(there, middle[..., 5:15])


def test_outside_is_never_masked_and_no_label_is_invented():
    # labels 0 and 4 only: any mixture of the two, or with the padding, would show as another label
    labels = 4 * random_labels(8, 20, 20, n=2).clamp(min=0)
    generator = torch.Generator().manual_seed(0)
    angle, right, down = (torch.rand(3, 8, 1, 1, 1, generator=generator) - 0.5).unbind()
    grid = sampling_grid((20, 20), angle=angle, scale=torch.ones(8, 1, 1, 1), right=right, down=down)
    always = (torch.tensor(False), torch.tensor(True), grid)
    field = warp(encode(labels), *always, mode="nearest", padding="zeros")
    warped = warp(torch.ones(8, 1, 20, 20), *always, mode="bilinear", padding="zeros")
    moved = decode(field)
    assert set(field.unique().tolist()) == {0.0, 1.0, 5.0}
    assert set(moved.unique().tolist()) == {-1, 0, 4}
    # where nothing of the image is left (its edge is blended) no cluster is either
    assert (warped[:, 0] == 0).any()
    assert (moved[warped[:, 0] == 0] == -1).all()
