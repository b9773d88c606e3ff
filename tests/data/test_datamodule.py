import numpy as np
import pytest
import torch

from fer_perturb.data.datamodule import FaceDataModule, ShuffledBatches, grey_statistics
from fer_perturb.data.packed import RawSplit, load_packed, write_packed
from fer_perturb.errors import UserError


@pytest.fixture(scope="module")
def module(data_directory):
    return FaceDataModule(load_packed(data_directory / "synthetic"), batch_size=48, seed=3, clean=False)


def test_statistics_are_those_of_the_training_images(module):
    pixels = np.asarray(module.data.splits["train"].images, dtype=np.float64) / 255
    assert module.mean == pytest.approx(pixels.mean())
    assert module.std == pytest.approx(pixels.std())


def test_constant_images_have_a_deviation_to_divide_by():
    assert grey_statistics(np.full((3, 4, 4), 51, dtype=np.uint8)) == (pytest.approx(0.2), 1.0)


def test_batches_are_cut_from_the_arrays(module):
    split = module.data.splits["train"]
    loader = module.train_dataloader()
    batches = list(loader)
    assert len(batches) == 256 // 48 == len(loader)
    for batch in batches:
        assert batch["image"].dtype == torch.uint8
        assert batch["image"].shape == (48, 1, 48, 48)
        assert np.array_equal(batch["image"][:, 0].numpy(), split.images[batch["index"].numpy()])
        assert np.array_equal(batch["label"].numpy(), split.labels[batch["index"].numpy()])
    rows = torch.cat([batch["index"] for batch in batches])
    assert len(rows.unique()) == len(rows)


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        sampler = ShuffledBatches(np.arange(100), 10, seed)
        sampler.set_epoch(epoch)
        return np.concatenate(list(sampler)).tolist()

    assert order(0, 4) == order(0, 4)
    assert order(0, 4) != order(0, 5)
    assert order(0, 4) != order(1, 4)
    assert sorted(order(0, 4)) == list(range(100))


def test_a_batch_larger_than_the_data_is_the_data():
    (batch,) = ShuffledBatches(np.arange(5), 64, 0)
    assert sorted(batch) == [0, 1, 2, 3, 4]


def test_the_first_batch_is_the_one_that_training_starts_with(module):
    loader = module.train_dataloader()
    loader.sampler.set_epoch(7)
    assert torch.equal(next(iter(loader))["index"], module.first_batch(7)["index"])


def test_evaluation_sees_each_image_once_in_order(module):
    rows = torch.cat([batch["index"] for batch in module.in_order("test")])
    assert rows.tolist() == list(range(64))


def test_clean_data_with_nothing_left_to_train_on(tmp_path):
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    raw = RawSplit(images, np.array([0, 1], np.uint8), ["a", "b"])  # the same two images in all splits
    data = write_packed(tmp_path / "mine", "mine", ("calm", "tense"), dict.fromkeys(("train", "val", "test"), raw), {})
    with pytest.raises(UserError, match=r"dataset\.clean=true leaves no training image of .*mine"):
        FaceDataModule(data, batch_size=4, seed=0, clean=True)
    assert len(FaceDataModule(data, batch_size=4, seed=0, clean=False).train_rows) == 2
