"""A map of each image, from its own attention: what the paper calls infeasible."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from fer_perturb.checked import STRICT
from fer_perturb.data.loading.batches import Batch
from fer_perturb.perturb.clusters import changed, cluster_maps_per_image
from fer_perturb.schemes.attention.attention import Attention
from fer_perturb.schemes.regions.clusters import Clusters, ClusterState, as_they_are
from fer_perturb.schemes.regions.regions import EpochSight, Record, Refine, Sight

CHUNK = 1024  # images whose maps are clustered at a time


class ImageClusterState(ClusterState):
    """`maps_of["train"]` and `maps_of["val"]`, int8 (N, H, W), follow from the centres, and are not stored.

    `stale`: whether they are to be made anew.
    """

    def __init__(self, n: int, frame: tuple[int, int]) -> None:
        super().__init__(n, frame)
        self.maps_of: dict[str, Tensor] = {}
        self.stale = False


@dataclass(frozen=True, config=STRICT)
class ImageClusters(Clusters):
    """Each image's k-means starts from the centres of the mean attention's clusters: a label means the same in all."""

    of_each_image: ClassVar[bool] = True

    def state(self, image_size: tuple[int, int], input_size: tuple[int, int]) -> ImageClusterState:
        return ImageClusterState(self.n, image_size)

    def attention(self, sight: EpochSight) -> Tensor:
        mean, _ = sight.on_average(each=True)
        return mean

    def maps(self, batch: Batch, state: nn.Module) -> Tensor:
        assert isinstance(state, ImageClusterState)
        return state.maps_of["train"][batch["index"]]

    def validation_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        assert isinstance(state, ImageClusterState)
        return state.maps_of["val"][batch["index"]]

    def testing_maps(self, batch: Batch, state: nn.Module, sight: Sight | None, refine: Refine = as_they_are) -> Tensor:
        assert sight is not None
        return self.clustered(sight.of(batch["image"]), state, refine)

    def maps_of_training_images(
        self, rows: Tensor, state: nn.Module, sight: Sight, refine: Refine = as_they_are
    ) -> Tensor:
        """Those that training images would have in testing, int8 (B, H, W), by their stored attention."""
        assert isinstance(state, ImageClusterState)
        return self.clustered(sight.of_training_images(rows.cpu()).to(state.centres.device), state, refine)

    def clustered(self, attention: Tensor, state: nn.Module, refine: Refine) -> Tensor:
        """The maps int8 (B, H, W) of attention (B, H, W)."""
        assert isinstance(state, ImageClusterState)
        return refine(attention, cluster_maps_per_image(attention, self, state.centres))

    def update(self, state: nn.Module, sight: EpochSight, refine: Refine = as_they_are) -> Record:
        assert isinstance(state, ImageClusterState)
        if sight.epoch > 0 and not sight.follows_predictor:
            self.finish(state, sight, refine)  # where training was resumed: the maps before, to tell what changes
        before = state.centres.clone()
        record = super().update(state, sight, refine)
        # with stored attention a map can change only with the centres that its clustering starts from
        state.stale = sight.follows_predictor or not torch.equal(before, state.centres)
        return record

    def finish(self, state: nn.Module, sight: EpochSight, refine: Refine = as_they_are) -> Record:
        """Clusters each training and validation image by its own attention, where that may have changed."""
        assert isinstance(state, ImageClusterState)
        if state.maps_of and not state.stale:
            return {"areas": self.areas(state.maps_of["train"])}
        _, rows = sight.on_average(each=True)
        parts = []
        for start in sight.progress(range(0, sight.n_train, CHUNK), "Clusters of each image"):
            chunk = slice(start, start + CHUNK)
            attention = sight.of_training_images(chunk) if rows is None else rows[chunk].float()
            parts.append(self.clustered(attention.to(sight.device), state, refine))
        val = [self.clustered(attention, state, refine) for attention in sight.of_validation_images()]
        before = state.maps_of.get("train")
        state.maps_of = {"train": torch.cat(parts), "val": torch.cat(val)}
        state.stale = False
        share = 1.0 if before is None else changed(before, state.maps_of["train"])
        return {"areas": self.areas(state.maps_of["train"]), "changed": share}

    def images_looked_at(self, train: int, val: int, batch: int) -> tuple[int, int]:
        return train, val

    def check(self, attention: Attention | None) -> None:
        super().check(attention)
        if attention is not None and attention.follows_predictor and self.every_n_epochs > 1:
            # a resumed run could not make the maps of an earlier epoch again
            raise ValueError(
                "scheme/attention=own_gates with a map per image clusters at each epoch: set "
                "scheme.regions.every_n_epochs=1."
            )
