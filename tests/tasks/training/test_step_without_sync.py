"""In a training step the host never waits for the device: it reads no value, and nothing is copied to or fro.

On the device "meta" tensors have no values, so a step that comes through there read none; and whatever is copied to
it or from it stands for a copy to or from a GPU.
"""

import pytest
import torch
from stepping import ready, untrained
from torch.utils._python_dispatch import TorchDispatchMode

from fer_perturb.data.occlusion.occluder import FEATURES, FILLS, Occluder
from fer_perturb.tasks.training.trainer import make_trainer

aten = torch.ops.aten
READING = {  # their result, or its size, depends on values that the host must know
    *(aten._local_scalar_dense, aten.is_nonzero, aten.equal, aten.nonzero, aten.masked_select),
    *(aten._unique2, aten.unique_dim, aten.unique_consecutive, aten.repeat_interleave, aten.bincount),
}
OF_NUMBERS = aten.lift_fresh  # a tensor of Python's numbers or an index by a list of them: a GPU is handed a copy
COPYING = {aten._to_copy, aten.copy_}


class Waits(TorchDispatchMode):
    """Notes each operation, forward and backward, at which the host waits for the device."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        operation = func._overloadpacket
        devices = {value.device for value in args[:2] if isinstance(value, torch.Tensor)}
        devices |= {torch.device(kwargs["device"])} if kwargs.get("device") is not None else set()
        by_mask = operation is aten.index and any(at is not None and at.dtype == torch.bool for at in args[1])
        if operation in READING or operation is OF_NUMBERS or by_mask or (operation in COPYING and len(devices) > 1):
            self.found.append(str(operation).removeprefix("aten."))
        return func(*args, **kwargs)


@pytest.mark.parametrize(
    ("does", "found"),
    [
        (lambda x: x.sum().item(), "_local_scalar_dense"),
        (lambda x: 1 if (x > 0).all() else 0, "_local_scalar_dense"),
        (lambda x: x[x > 0], "index"),
        (lambda x: x.nonzero(), "nonzero"),
        (lambda x: x.unique(), "_unique2"),
        (lambda x: x.repeat_interleave(x.long()), "repeat_interleave"),
        (lambda x: torch.equal(x, x), "equal"),
        (lambda x: x * torch.tensor([1.0, 2.0, 3.0], device=x.device), "lift_fresh"),
        (lambda x: x[[0, 2]], "lift_fresh"),
    ],
)
def test_reading_a_value_is_noticed(does, found):
    with Waits() as waits:
        does(torch.ones(3))
    assert found in waits.found


def test_copies_are_noticed():
    with Waits() as waits:
        torch.randint(4, (3,)).to("meta")
        torch.zeros(3, device="meta").copy_(torch.zeros(3))
        with pytest.raises(NotImplementedError):
            torch.zeros(3, device="meta").cpu()
        torch.zeros(3, device="meta").double()  # on the device: not one
    assert waits.found == ["_to_copy", "copy_", "_to_copy"]


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(
    "overrides",
    [
        ["scheme=baseline", "recipe.initial_size=32"],
        ["scheme/regions=batch", "scheme/views=all"],
        ["scheme/regions=batch", "scheme/views=sample"],
        ["scheme/regions=dataset", "scheme/views=all"],
        ["scheme/regions=dataset", "scheme/views=sample"],
        ["scheme/regions=image", "scheme/views=all"],
        ["scheme=moved_maps", "scheme/regions=image", "scheme/views=sample", "recipe.crop=40"],
        ["scheme=extra_erasing", "scheme/views=all"],
        ["scheme=extra_erasing", "scheme/views=sample", "scheme/regions=image"],
        ["scheme=copies", "scheme/regions=image", "recipe.mixup=0.2"],
        ["scheme/regions=batch", "scheme/views=sample", "scheme.views.clean_share=0.5"],
        ["scheme=most_attended", "scheme/views=all"],
        ["scheme=least_attended", "scheme/views=sample", "scheme/regions=image"],
    ],
    ids=" ".join,
)
def test_a_training_step_does_not_wait(data_directory, tmp_path, overrides, device):
    task, batch = ready(data_directory, tmp_path, *overrides, "recipe.augmentation.erase=0.5", device=device)
    with Waits() as waits:
        task.on_train_batch_start(batch, 0)
        loss = task.training_step(batch, 0)
        loss.backward()
    assert waits.found == []
    assert loss.device.type == device
    assert device == "meta" or loss.isfinite()


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("part", [f"{feature}-{fill}" for feature in FEATURES for fill in FILLS])
def test_neither_does_hiding_a_feature(part, device):
    hide = Occluder.from_name(part)
    images = torch.randint(256, (2, 1, 48, 48), dtype=torch.uint8, device=device)
    landmarks = 10 + 30 * torch.rand(2, 68, 2, device=device)
    hide(images, landmarks)  # what is made once is made
    with Waits() as waits:
        hide(images, landmarks)
    assert waits.found == []


def test_neither_does_lightning_within_it(data_directory, tmp_path):
    _, chain, task = untrained(data_directory, tmp_path, "scheme/regions=image", "scheme/views=sample")
    step, found = task.training_step, []

    def watched(batch, batch_idx):
        with Waits() as waits:
            loss = step(batch, batch_idx)
        found.append(waits.found)
        return loss

    task.training_step = watched
    trainer = make_trainer(chain.experiment.trainer, chain.experiment.recipe, tmp_path, None)
    trainer.fit(task, chain.run.data)
    assert set(found[0]) <= {"lift_fresh"}  # Lightning sets up the means that it logs
    assert found[1:] == [[]] * 5
    assert "train/loss" in trainer.callback_metrics
