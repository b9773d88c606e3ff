"""The real maps in a wrong place, with the same areas, shapes and pieces (the control `moved_maps`)."""

from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from fer_perturb.checked import STRICT
from fer_perturb.data.loading.batches import Batch
from fer_perturb.schemes.attention.attention import Attention
from fer_perturb.schemes.regions.around import Around
from fer_perturb.schemes.regions.image_clusters import ImageClusters, ImageClusterState
from fer_perturb.schemes.regions.regions import Sight


@dataclass(frozen=True, config=STRICT)
class Displaced(Around):
    """A map that all images share is turned upside down; with a map per image each wears another training image's."""

    def maps(self, batch: Batch, state: nn.Module) -> Tensor:
        if not self.of_each_image:
            return upside_down(self.of.maps(batch, state))
        assert isinstance(state, ImageClusterState)
        rows = other_image(batch["index"], len(state.maps_of["train"]))
        return self.of.maps({**batch, "index": rows}, state)

    def testing_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        if not self.of_each_image:
            return upside_down(self.of.testing_maps(batch, state, sight))
        assert isinstance(self.of, ImageClusters)
        assert sight is not None
        rows = other_image(batch["index"], sight.n_train)
        return self.of.maps_of_training_images(rows, state, sight)

    def validation_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        return self.testing_maps(batch, state, sight)

    def check(self, attention: Attention | None) -> None:
        super().check(attention)
        if self.of_each_image and attention is not None and attention.follows_predictor:
            raise ValueError("displaced maps of each image need stored attention maps: set scheme/attention=phase_one.")


def upside_down(maps: Tensor) -> Tensor:
    """Maps (..., H, W) in which the last row is the first."""
    return maps.flip(-2)


def other_image(index: Tensor, n: int) -> Tensor:
    """Whose map an image wears: int64 (B,) in 0..n-1, for the images `index`, int64 (B,), of n.

    The image half the data set further on, and round again at its end: a fixed choice, each image once, and never
    the image itself or its duplicate in the next row. Of one image alone it is its own.
    """
    return (index + n // 2) % n
