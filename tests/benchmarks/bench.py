"""What the rows share: how much is measured and where, and data of FER2013's shape and size."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from composing import composed
from torch import Tensor

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.data.packed import PackedData, RawSplit, write_packed
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.tasks.chain import Chain

COUNTS = {"train": 28_709, "val": 3_589, "test": 3_589}  # FER2013's
SIDE = 48


@dataclass(frozen=True)
class Bench:
    """device: where networks run. scale: 1 = the full size; less only tries the rows out. directory: for all files."""

    device: torch.device
    scale: float
    directory: Path

    def count(self, full: int, least: int = 1) -> int:
        """`full` at the full size, fewer at a smaller scale."""
        return max(least, round(full * self.scale))

    @property
    def rounds(self) -> int:
        return self.count(5)

    @cached_property
    def data(self) -> PackedData:
        """Smooth random pictures, packed as FER2013 is."""
        random = np.random.default_rng(0)
        splits = {}
        for seed, (split, full) in enumerate(COUNTS.items()):
            least = 1024 if split == "train" else 64
            images = (255 * attention_maps(self.count(full, least), seed)).byte().numpy()
            labels = random.integers(len(EMOTIONS), size=len(images), dtype=np.uint8)
            splits[split] = RawSplit(images, labels, [f"row{row}" for row in range(len(images))])
        return write_packed(self.directory / "data" / "fer2013", "fer2013", EMOTIONS, splits, {"form": "random"})

    def overrides(self) -> list[str]:
        """Of conf/train.yaml, for this data and device."""
        return [
            "dataset=fer2013",
            "recipe.epochs=1",
            f"trainer.accelerator={'gpu' if self.device.type == 'cuda' else 'cpu'}",
            f"paths.data={self.data.root.parent}",
            f"paths.outputs={self.directory / 'outputs'}",
        ]

    def chain(self, *overrides: str) -> Chain:
        """The chain that the command line would run with these overrides."""
        _ = self.data  # packed
        return Chain(open_experiment(composed(*self.overrides(), *overrides)))

    def seconds(self, work: Callable[[], object]) -> float:
        """What `work` takes, to the end of what it started on the device."""
        self.wait()
        started = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - started

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def attention_maps(count: int, seed: int) -> Tensor:
    """Smooth maps, float32 (count, 48, 48) in [0, 1]: the mean of three Gaussians of random place and width."""
    random = torch.Generator().manual_seed(seed)
    places = (SIDE - 1) * torch.rand(2, count, 3, 1, generator=random)
    widths = 4 + 8 * torch.rand(count, 3, 1, generator=random)
    rows, columns = torch.exp(-(((torch.arange(SIDE) - places) / widths) ** 2) / 2)
    return (rows.mT @ columns) / 3


@contextmanager
def quiet() -> Iterator[None]:
    """Progress bars and messages are written, as in every run, but to nowhere."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
