"""A dataset unlike the others: three classes, 40x56 pixels, soon learned, and with twins across its splits."""

from pathlib import Path

import numpy as np

from fer_perturb.data.packed import PackedData, RawSplit, write_packed

CLASSES = ("calm", "tired", "bored")  # not in alphabetical order
SIZE = (40, 56)
TRAIN, VAL, TEST = 96, 30, 30
TWINS = 9  # images of test that are copies of training images, under the next class's label


def write_tiny(root: Path) -> PackedData:
    """Packs it at `root`. The class is the brightness; the twins' labels are wrong, so that they are mistaken."""
    random = np.random.default_rng(0)

    def drawn(count: int) -> RawSplit:
        labels = np.arange(count) % len(CLASSES)
        noise = random.integers(-25, 26, (count, *SIZE))
        images = (60 + 65 * labels[:, None, None] + noise).astype(np.uint8)
        return RawSplit(images, labels.astype(np.uint8), [f"{root.name}{number}" for number in range(count)])

    splits = {"train": drawn(TRAIN), "val": drawn(VAL), "test": drawn(TEST)}
    splits["test"].images[:TWINS] = splits["train"].images[:TWINS]
    splits["test"].labels[:TWINS] = (splits["train"].labels[:TWINS] + 1) % len(CLASSES)
    return write_packed(root, root.name, CLASSES, splits, {"form": "noise"})
