"""Controls are regions around clusters: they change the one thing that they are named for."""

from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from fer_perturb.checked import STRICT
from fer_perturb.data.loading.batches import Batch
from fer_perturb.schemes.attention.attention import Attention
from fer_perturb.schemes.regions.clusters import Clusters
from fer_perturb.schemes.regions.regions import EpochSight, Record, Regions, Sight


@dataclass(frozen=True, config=STRICT)
class Around(Regions):
    """All is as it is with the clusters `of`; a control overrides what it changes."""

    of: Clusters

    def __post_init__(self) -> None:
        for name in ("frame", "of_each_image", "needs_attention"):
            object.__setattr__(self, name, getattr(self.of, name))  # the dataclass is frozen

    @property
    def n(self) -> int:
        return self.of.n

    def maps(self, batch: Batch, state: nn.Module) -> Tensor:
        return self.of.maps(batch, state)

    def testing_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        return self.of.testing_maps(batch, state, sight)

    def validation_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        return self.of.validation_maps(batch, state, sight)

    def state(self, image_size: tuple[int, int], input_size: tuple[int, int]) -> nn.Module:
        return self.of.state(image_size, input_size)

    def should_update(self, epoch: int) -> bool:
        return self.of.should_update(epoch)

    def update(self, state: nn.Module, sight: EpochSight) -> Record:
        return self.of.update(state, sight)

    def name(self, state: nn.Module, sight: EpochSight) -> None:
        self.of.name(state, sight)

    def finish(self, state: nn.Module, sight: EpochSight) -> Record:
        return self.of.finish(state, sight)

    def images_looked_at(self, train: int, val: int, batch: int) -> tuple[int, int]:
        return self.of.images_looked_at(train, val, batch)

    def check(self, attention: Attention | None) -> None:
        self.of.check(attention)
