import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kornia.augmentation import AugmentationSequential, RandomAffine, RandomHorizontalFlip
from kornia.constants import Resample
from torch.nn.functional import max_pool2d

from fer_perturb.data.augment import Augmentation, AugmentationSettings
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
def test_a_map_stays_on_its_image(seed, shape, n, flip, degrees, shift, scale):
    labels = torch.randint(-1, n, shape, generator=torch.Generator().manual_seed(seed)).to(torch.int8)
    images = labels.float().unsqueeze(1) + 1  # an image that shows the map
    augmentation = AugmentationSequential(
        RandomHorizontalFlip(p=flip),
        RandomAffine(degrees=degrees, translate=(shift, shift), scale=(scale, scale), resample=Resample.NEAREST, p=1.0),
        data_keys=["input", "mask"],
        same_on_batch=False,
    )
    torch.manual_seed(seed)
    warped, field = augmentation(images, encode(labels))
    moved = decode(field)
    assert torch.equal(moved.float() + 1, warped[:, 0])
    assert set(moved.unique().tolist()) <= {-1, *labels.unique().tolist()}  # no label is invented


@given(seed=st.integers(0, 2**31 - 1), degrees=st.floats(1, 180), shift=st.floats(0.1, 0.4))
@settings(deadline=None, max_examples=20)
def test_a_map_of_the_training_augmentation_stays_on_its_image(seed, degrees, shift):
    """There the image is blended and continued beyond its edge, its map is neither."""
    patches = torch.randint(-1, 3, (4, 6, 6), generator=torch.Generator().manual_seed(seed))
    labels = patches.repeat_interleave(8, -1).repeat_interleave(8, -2).to(torch.int8)
    chances = {"flip": 0.5, "affine": 1.0, "light": 0.0, "erase": 0.0}
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
    turn = RandomAffine(degrees=(90.0, 90.0), p=1.0)  # clockwise
    flip = RandomHorizontalFlip(p=1.0)
    turned = AugmentationSequential(turn, data_keys=["input", "mask"])
    both = AugmentationSequential(flip, turn, data_keys=["input", "mask"])
    for augmentation, expected, shown in (
        (turned, labels.rot90(-1), image.rot90(-1, (2, 3))),
        (both, labels.flip(-1).rot90(-1), image.flip(-1).rot90(-1, (2, 3))),
    ):
        warped, field = augmentation(image, encode(labels))
        assert torch.equal(decode(field)[0], expected)
        torch.testing.assert_close(warped, shown)


def test_outside_is_never_masked_and_no_label_is_invented():
    # labels 0 and 4 only: any mixture of the two, or with the padding, would show as another label
    labels = 4 * random_labels(8, 20, 20, n=2).clamp(min=0)
    shift = AugmentationSequential(RandomAffine(degrees=30.0, translate=(0.5, 0.5), p=1.0), data_keys=["input", "mask"])
    torch.manual_seed(0)
    warped, field = shift(torch.ones(8, 1, 20, 20), encode(labels))
    moved = decode(field)
    assert set(field.unique().tolist()) == {0.0, 1.0, 5.0}
    assert set(moved.unique().tolist()) == {-1, 0, 4}
    # where nothing of the image is left (its edge is blended) no cluster is either
    assert (warped[:, 0] == 0).any()
    assert (moved[warped[:, 0] == 0] == -1).all()
