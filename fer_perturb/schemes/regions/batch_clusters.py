"""One map for all images, from the attention on the epoch's first batch (the author's code)."""

from typing import ClassVar, Literal

from pydantic.dataclasses import dataclass
from torch import Tensor

from fer_perturb.checked import STRICT
from fer_perturb.schemes.regions.clusters import Clusters
from fer_perturb.schemes.regions.regions import EpochSight


@dataclass(frozen=True, config=STRICT)
class BatchClusters(Clusters):
    """The batch is augmented, so the map lives in the frame of the network's input, where it stays."""

    frame: ClassVar[Literal["image", "input"]] = "input"

    def attention(self, sight: EpochSight) -> Tensor:
        return sight.on_first_batch()

    def images_looked_at(self, train: int, val: int, batch: int) -> tuple[int, int]:
        return batch, batch
