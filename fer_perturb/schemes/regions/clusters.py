"""Clusters of pixels by Eq. 1 and k-means (paper, section 3): what the kinds of clusters share."""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from fer_perturb.checked import STRICT
from fer_perturb.data.loading.batches import Batch
from fer_perturb.errors import UserError
from fer_perturb.perturb.clusters import (
    ClusterMap,
    ClusterSettings,
    agreement,
    areas,
    changed,
    cluster_map,
    position_only_map,
)
from fer_perturb.schemes.regions.regions import EpochSight, Record, Refine, Regions, Sight
from fer_perturb.seeds import derive


class ClusterState(nn.Module):
    """Buffers: `cluster_map`, int8 (H, W), in the regions' frame; `centres`, float32 (n, 3), which belong to it."""

    cluster_map: Tensor
    centres: Tensor

    def __init__(self, n: int, frame: tuple[int, int]) -> None:
        super().__init__()
        self.register_buffer("cluster_map", torch.full(frame, -1, dtype=torch.int8))
        self.register_buffer("centres", torch.zeros(n, 3))


def as_they_are(attention: Tensor, labels: Tensor) -> Tensor:
    """The clusters themselves are what may be hidden."""
    return labels


@dataclass(frozen=True, config=STRICT)
class Clusters(ClusterSettings, Regions):
    """Recomputed every few epochs. A cluster keeps its label from epoch to epoch."""

    init: Literal["random", "previous"]
    """where k-means starts: each time afresh, or at the last centres"""
    every_n_epochs: Annotated[int, Field(ge=1)]
    VERSION: ClassVar[int] = 4
    needs_attention: ClassVar[bool] = True

    @property
    def n(self) -> int:
        return self.n_clusters

    def state(self, image_size: tuple[int, int], input_size: tuple[int, int]) -> ClusterState:
        return ClusterState(self.n, input_size if self.frame == "input" else image_size)

    def maps(self, batch: Batch, state: nn.Module) -> Tensor:
        assert isinstance(state, ClusterState)
        return state.cluster_map.expand(len(batch["index"]), -1, -1)

    def testing_maps(self, batch: Batch, state: nn.Module, sight: Sight | None, refine: Refine = as_they_are) -> Tensor:
        return self.maps(batch, state)  # which were refined when they were made

    def should_update(self, epoch: int) -> bool:
        return epoch % self.every_n_epochs == 0

    @abstractmethod
    def attention(self, sight: EpochSight) -> Tensor:
        """What is clustered, float32 (H, W)."""

    def update(self, state: nn.Module, sight: EpochSight, refine: Refine = as_they_are) -> Record:
        """Clusters the attention of this epoch.

        Returns inertia, area of each cluster (share of the pixels), agreement with the position-only map, and the share
        of pixels that changed their cluster. UserError where the attention cannot be clustered.
        """
        assert isinstance(state, ClusterState)
        attention = self.attention(sight)
        before = state.centres.cpu() if bool(state.centres.any()) else None
        found = self.cluster(attention.to(sight.device), derive(sight.seed, "clusters", sight.epoch), before)
        labels = refine(attention.cpu()[None], found.labels[None])[0]
        share = 1.0 if before is None else changed(state.cluster_map.cpu(), labels)
        if before is None or not torch.allclose(before, found.centres, atol=1e-6):
            state.centres.copy_(found.centres)
        state.cluster_map.copy_(labels)
        sight.share(state)
        return {
            "inertia": found.inertia,
            "areas": self.areas(labels),
            "ari_position_only": self.agreement_with_position_alone(found, sight.seed),
            "changed": share,
        }

    def name(self, state: nn.Module, sight: EpochSight) -> None:
        """Finds the centres that the labels are named after, before the first update."""
        assert isinstance(state, ClusterState)
        found = self.cluster(self.attention(sight).to(sight.device), derive(sight.seed, "clusters"), None)
        state.cluster_map.copy_(found.labels)
        state.centres.copy_(found.centres)

    def cluster(self, attention: Tensor, seed: int, before: Tensor | None) -> ClusterMap:
        """On the attention's own device; the result lies on the CPU. before: the last centres (n, 3), if there are."""
        start = before if self.init == "previous" else None
        try:
            found = cluster_map(attention, self, seed=seed, start=start, reference=before)
        except ValueError as error:
            raise UserError(
                f"The attention cannot be clustered: {error}. Change scheme.regions.n_clusters or "
                "scheme.regions.top_share, or, where the attention is not finite, the training of phase 1 "
                "(recipe.optimizer.lr)."
            ) from error
        return ClusterMap(found.labels.cpu(), found.centres.cpu(), found.inertia)

    def finish(self, state: nn.Module, sight: EpochSight, refine: Refine = as_they_are) -> Record:
        return {}

    def areas(self, maps: Tensor) -> list[float]:
        return [float(area) for area in areas(maps, self.n)]

    def agreement_with_position_alone(self, found: ClusterMap, seed: int) -> float:
        """From the map's own centres: the position-only clustering has several equal optima; this is the nearest."""
        height, width = found.labels.shape
        alone = position_only_map((height, width), self, seed=derive(seed, "position only"), start=found.centres)
        return agreement(found.labels, alone.labels)
