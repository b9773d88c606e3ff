"""The real maps in a wrong place, with the same areas, shapes and pieces (the control `moved_maps`)."""

from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from fer_perturb.checked import STRICT
from fer_perturb.data.loading.batches import Batch
from fer_perturb.perturb.moved import flipped, other_image
from fer_perturb.schemes.attention.attention import Attention
from fer_perturb.schemes.regions.around import Around
from fer_perturb.schemes.regions.image_clusters import ImageClusters, ImageClusterState
from fer_perturb.schemes.regions.regions import Sight


@dataclass(frozen=True, config=STRICT)
class Displaced(Around):
    """A map that all images share is turned upside down; with a map per image each wears another training image's."""

    def maps(self, batch: Batch, state: nn.Module) -> Tensor:
        if not isinstance(state, ImageClusterState):
            return flipped(self.of.maps(batch, state))
        rows = other_image(batch["index"], len(state.maps_of["train"]))
        return self.of.maps({**batch, "index": rows}, state)

    def testing_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        if not isinstance(self.of, ImageClusters):
            return flipped(self.of.testing_maps(batch, state, sight))
        assert sight is not None
        rows = other_image(batch["index"], sight.n_train)
        return self.of.maps_of_training_images(rows, state, sight)

    def validation_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        return self.testing_maps(batch, state, sight)

    def check(self, attention: Attention | None) -> None:
        super().check(attention)
        if self.of_each_image and attention is not None and attention.follows_predictor:
            raise ValueError("displaced maps of each image need stored attention maps: set scheme/attention=phase_one.")
