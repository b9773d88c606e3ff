"""The loss of mixed images is the mean of both labels' losses, weighted as the images are."""

import pytest
from stepping import ready
from torch.nn.functional import cross_entropy

from fer_perturb.data.augmentation.mixup import mix_pairs


@pytest.mark.parametrize("scheme", ["scheme=baseline", "scheme=copies"])
def test_both_labels_count(data_directory, tmp_path, scheme):
    overrides = ("recipe.mixup=0.5", "recipe.label_smoothing=0.1")
    task, batch = ready(data_directory, tmp_path, scheme, *overrides)
    seen = []
    forward = task.network.forward
    task.network.forward = lambda images: seen.append(forward(images)) or seen[-1]
    task.on_train_batch_start(batch, 0)
    loss = task.training_step(batch, 0)
    versions = len(seen[0]) // len(batch["label"])
    assert versions == (1 if scheme == "scheme=baseline" else 4)
    # the share is the one number in [0, 1] for which the losses agree; both losses from plain definitions
    own, other = batch["label"].repeat(versions), batch["label"].flip(0).repeat(versions)
    losses = [cross_entropy(seen[0], labels, label_smoothing=0.1) for labels in (own, other)]
    share = ((loss - losses[1]) / (losses[0] - losses[1])).item()
    task.on_train_batch_start(batch, 0)
    task.augmentation(batch["image"])  # draws first
    _, drawn = mix_pairs(batch["image"].float()[None], 0.5)
    assert share == pytest.approx(drawn.item(), abs=1e-3)
