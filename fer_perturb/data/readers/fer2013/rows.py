"""One split of FER2013 in the making."""

from dataclasses import dataclass, field

import numpy as np

from fer_perturb.data.packed import RawSplit

SIZE = (48, 48)


@dataclass
class Rows:
    """One split in the making; pixels grow in place, so that no image is held twice."""

    pixels: bytearray = field(default_factory=bytearray)
    labels: bytearray = field(default_factory=bytearray)
    names: list[str] = field(default_factory=list)

    def add(self, pixels: bytes, label: int, name: str) -> None:
        self.pixels += pixels
        self.labels.append(label)
        self.names.append(name)

    def done(self) -> RawSplit:
        images = np.frombuffer(self.pixels, dtype=np.uint8).reshape(-1, *SIZE)
        return RawSplit(images=images, labels=np.frombuffer(self.labels, dtype=np.uint8), names=self.names)
