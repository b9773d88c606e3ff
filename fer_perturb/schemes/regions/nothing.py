"""Nothing is hidden: as many views as there would be, all of the whole image (the control `copies`)."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from fer_perturb.checked import STRICT
from fer_perturb.data.loading.batches import Batch
from fer_perturb.schemes.regions.around import Around
from fer_perturb.schemes.regions.clusters import ClusterState
from fer_perturb.schemes.regions.regions import Sight


@dataclass(frozen=True, config=STRICT)
class Nothing(Around):
    """The clusters are made, and left out of the maps."""

    hides: ClassVar[bool] = False

    def maps(self, batch: Batch, state: nn.Module) -> Tensor:
        assert isinstance(state, ClusterState)
        return torch.full_like(state.cluster_map, -1).expand(len(batch["image"]), -1, -1)

    def testing_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        return self.maps(batch, state)

    def validation_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        return self.maps(batch, state)
