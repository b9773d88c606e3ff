import pytest
import torch
from kornia.augmentation import AugmentationSequential, RandomAffine, RandomHorizontalFlip
from kornia.constants import Resample

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


@pytest.mark.parametrize("seed", range(5))
def test_a_map_stays_on_its_image(seed):
    labels = random_labels(16, 48, 48)
    images = labels.float().unsqueeze(1) + 1  # an image that shows the map
    augmentation = AugmentationSequential(
        RandomHorizontalFlip(p=0.5),
        RandomAffine(degrees=20.0, translate=(0.2, 0.2), scale=(0.7, 1.2), resample=Resample.NEAREST, p=1.0),
        data_keys=["input", "mask"],
        same_on_batch=False,
    )
    torch.manual_seed(seed)
    warped, field = augmentation(images, encode(labels))
    moved = decode(field)
    assert torch.equal(moved.float() + 1, warped[:, 0])
    assert (moved != labels).float().mean() > 0.3  # they did move
    assert (moved[:, 0, 0] == -1).any()  # from outside


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
