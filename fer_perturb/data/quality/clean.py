"""Which training images to leave out, and which test images stand in training."""

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.packed import PackedData
from fer_perturb.data.quality.audit import is_constant


def kept_rows(data: PackedData) -> NDArray[np.int64]:
    """(K,) int64, ascending: the rows of the training split that remain under `dataset.clean=true`.

    Left out are images that also stand in val or test, constant ones, and those whose pixels carry different
    labels somewhere in the dataset. Val and test stay as they are.
    """
    identities = {split: data.splits[split].identities() for split in SPLITS}
    everywhere = np.concatenate([identities[split] for split in SPLITS])
    labels = np.concatenate([data.splits[split].labels for split in SPLITS])
    _, group = np.unique(everywhere, return_inverse=True)
    lowest = np.full(group.max() + 1, np.iinfo(np.uint8).max, dtype=np.uint8)
    highest = np.zeros_like(lowest)
    np.minimum.at(lowest, group, labels)
    np.maximum.at(highest, group, labels)
    train = data.splits["train"]
    conflicting = (lowest < highest)[group[: len(train)]]
    elsewhere = np.concatenate([identities["val"], identities["test"]])
    leaking = has_twin(identities["train"], elsewhere)
    return np.flatnonzero(~(leaking | conflicting | is_constant(train.images)))


def has_twin(test_identities: NDArray[np.bytes_], train_identities: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """(N,): whether each test image's exact pixels also stand in training; identities as `Split` has them."""
    return np.isin(test_identities, train_identities)
