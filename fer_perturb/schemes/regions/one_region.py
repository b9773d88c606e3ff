"""All masked views hide one and the same cluster (the controls `most_attended` and `least_attended`)."""

from typing import Literal

from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from fer_perturb.checked import STRICT
from fer_perturb.data.loading.batches import Batch
from fer_perturb.perturb.one_region import one_region
from fer_perturb.schemes.regions.around import Around
from fer_perturb.schemes.regions.regions import EpochSight, Record, Sight


@dataclass(frozen=True, config=STRICT)
class OneRegion(Around):
    """The most or least attended cluster, brought to an n-th of the pixels; it is label 0 of the maps."""

    attended: Literal["most", "least"]

    def refined(self, attention: Tensor, labels: Tensor) -> Tensor:
        """What of cluster maps int8 (B, H, W) of that attention is hidden."""
        return one_region(attention, labels, self.of, most=self.attended == "most")

    def hidden(self, maps: Tensor, views: Tensor) -> Tensor:
        return super().hidden(maps, views // self.n)  # all of the n masked views hide the label 0

    def testing_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        return self.of.testing_maps(batch, state, sight, self.refined)

    def update(self, state: nn.Module, sight: EpochSight) -> Record:
        return self.of.update(state, sight, self.refined)

    def finish(self, state: nn.Module, sight: EpochSight) -> Record:
        return self.of.finish(state, sight, self.refined)
