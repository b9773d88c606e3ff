from types import SimpleNamespace

import numpy as np
import pytest
import torch
from composing import TEST, TRAIN
from torch.utils._python_dispatch import TorchDispatchMode

from fer_perturb.data.loading.batches import Batches, ResidentBatches, ShuffledBatches
from fer_perturb.data.loading.datamodule import FaceDataModule, grey_statistics
from fer_perturb.data.packed import RawSplit, load_packed, write_packed
from fer_perturb.errors import UserError


@pytest.fixture(scope="module")
def module(data_directory):
    return FaceDataModule(load_packed(data_directory / "synthetic"), batch_size=12, seed=3, clean=False)


def test_statistics_are_those_of_the_training_images(module):
    pixels = np.asarray(module.packed.splits["train"].images, dtype=np.float64) / 255
    assert module.mean == pytest.approx(pixels.mean())
    assert module.std == pytest.approx(pixels.std())


def test_constant_images_have_a_deviation_to_divide_by():
    assert grey_statistics(np.full((3, 4, 4), 51, dtype=np.uint8)) == (pytest.approx(0.2), 1.0)


def test_batches_are_cut_from_the_arrays(module):
    split = module.packed.splits["train"]
    loader = module.train_dataloader()
    batches = list(loader)
    assert len(batches) == TRAIN // 12 == len(loader)
    for batch in batches:
        assert batch["image"].dtype == torch.uint8
        assert batch["image"].shape == (12, 1, 48, 48)
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
    assert rows.tolist() == list(range(TEST))


def test_a_resident_split_gives_the_same_batches(module):
    split = module.packed.splits["train"]
    resident = ResidentBatches(split, torch.device("cpu"))
    for rows in module.sampler:
        mapped, batch = Batches(split)[rows], resident[rows]
        assert mapped.keys() == batch.keys()
        for key, value in mapped.items():
            assert batch[key].dtype == value.dtype
            assert torch.equal(batch[key], value)


class CopiesTo(TorchDispatchMode):
    """The sizes of all tensors that are copied to a kind of device from another."""

    def __init__(self, device):
        super().__init__()
        self.device = device
        self.sizes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        copies = func._overloadpacket in (torch.ops.aten._to_copy, torch.ops.aten.copy_)
        if copies and out.device.type == self.device and any(x.device != out.device for x in args[:2]):
            self.sizes.append(out.numel())
        return out


def on(device, data):
    """A data module whose trainer trains on `device`."""
    module = FaceDataModule(data, batch_size=48, seed=3, clean=False)
    module.trainer = SimpleNamespace(
        strategy=SimpleNamespace(root_device=torch.device(device)), global_rank=0, world_size=1
    )
    return module


def test_another_device_gets_a_split_once_and_then_rows_alone(module):
    elsewhere = on("meta", module.packed)  # a device without numbers stands for the GPU
    train, val = (len(module.packed.splits[split]) for split in ("train", "val"))
    with CopiesTo("meta") as copies:
        loaders = (elsewhere.train_dataloader(), elsewhere.val_dataloader())
        assert sorted(copies.sizes) == sorted(n * of for n in (train, val) for of in (48 * 48, 1, 68 * 2))
        copies.sizes.clear()
        for _ in range(2):
            batches = [batch for loader in loaders for batch in loader]
            batches += [elsewhere.first_batch(1), *elsewhere.in_order("val")]
        assert copies.sizes == 2 * ([48] * (train // 48) + [val] + [48] + [val])
    assert {value.device.type for batch in batches for value in batch.values()} == {"meta"}
    assert batches[0]["image"].shape == (48, 1, 48, 48)
    assert (batches[0]["image"].dtype, batches[0]["label"].dtype) == (torch.uint8, torch.int64)


def test_a_cpu_reads_from_the_memory_map(module):
    for here in (on("cpu", module.packed), module):  # and so does who has no trainer
        assert isinstance(here.train_dataloader().dataset, Batches)
        assert isinstance(here.val_dataloader().dataset, Batches)
        assert not here.resident


def test_clean_data_with_nothing_left_to_train_on(tmp_path):
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    raw = RawSplit(images, np.array([0, 1], np.uint8), ["a", "b"])  # the same two images in all splits
    data = write_packed(tmp_path / "mine", "mine", ("calm", "tense"), dict.fromkeys(("train", "val", "test"), raw), {})
    with pytest.raises(UserError, match=r"dataset\.clean=true leaves no training image of .*mine"):
        FaceDataModule(data, batch_size=4, seed=0, clean=True)
    assert len(FaceDataModule(data, batch_size=4, seed=0, clean=False).train_rows) == 2
