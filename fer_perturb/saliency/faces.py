"""The faces on which a run is looked at, as its network sees them."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_perturb.data.loading.batches import Batch, Batches
from fer_perturb.data.packed import PackedData
from fer_perturb.saliency.regions import facial_parts, left_half
from fer_perturb.tasks.training.classifier import Classifier

SPLIT = "test"


@dataclass(frozen=True, eq=False)
class Faces:
    """N faces of a dataset's test split, in the frame of a network's input.

    images: float (N, 1, h, w) in [0, 1]. parts: bool (N, 5, h, w), in the order of PARTS. left: bool (N, h, w), what
    lies left of the middle between the eyes. placed: bool (N,), whose landmarks are firmly placed; of drawn faces all.
    batch: as they lie in the split; like the images on the network's device, the rest on the CPU.
    """

    data: PackedData
    rows: NDArray[np.int64]
    batch: Batch
    images: Tensor
    parts: Tensor
    left: Tensor
    placed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,)."""
        found: NDArray[np.int64] = self.batch["label"].cpu().numpy()
        return found

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.images.shape[-2:]
        return height, width

    def some(self, per_emotion: int) -> Tensor:
        """int64: the first faces of each emotion."""
        first = [np.flatnonzero(self.labels == label)[:per_emotion] for label in np.unique(self.labels)]
        return torch.from_numpy(np.concatenate(first))


def faces_of(data: PackedData, task: Classifier, count: int) -> Faces:
    """About `count` faces, as many of each emotion as there can be: the same ones for all networks.

    Raises UserError where the data have no landmarks.
    """
    split = data.splits[SPLIT]
    rows = evenly(np.asarray(split.labels), count)
    found: Any = Batches(split)[rows]
    batch = cast(Batch, {key: value.to(task.device) for key, value in found.items()})
    whole = facial_parts(data, SPLIT, rows)
    left = left_half(torch.from_numpy(np.asarray(split.landmarks)[rows]).float(), data.image_size)
    planes = torch.cat([whole, left[:, None]], dim=1).float()
    cropped = task.crops(planes, "none")[0].bool()
    images = task.crops(batch["image"], "none")[0]
    return Faces(data, rows, batch, images, cropped[:, :-1], cropped[:, -1], data.placed(SPLIT)[rows])


def evenly(labels: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Rows of `labels` (M,), ascending: about `count`, as many of each label as there can be, drawn by chance, always
    alike."""
    random = np.random.default_rng(0)
    each = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    share = -(-count // len(each))
    return np.sort(np.concatenate([rows[:share] for rows in each])).astype(np.int64)
