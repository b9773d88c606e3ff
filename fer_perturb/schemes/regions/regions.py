"""What every kind of region says of itself, and what it may ask of the attention at hand."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

from fer_perturb.data.loading.batches import Batch
from fer_perturb.perturb.views import hidden
from fer_perturb.schemes.part import Part

Item = TypeVar("Item")
Record = dict[str, Any]
Refine = Callable[[Tensor, Tensor], Tensor]
"""(attention (B, H, W), cluster maps int8 (B, H, W)) -> what of them may be hidden, int8 (B, H, W)"""


class Sight(Protocol):
    """The attention of a scheme on the images of a run."""

    n_train: int
    """training images"""

    @property
    def follows_predictor(self) -> bool:
        """Whether it changes as the predictor learns; else phase 2 has stored the training images'."""
        ...

    def of(self, images: Tensor) -> Tensor:
        """uint8 (B, 1, H, W) -> float (B, H, W)."""
        ...

    def of_training_images(self, rows: Tensor | slice) -> Tensor:
        """What phase 2 stored, with a map per image: float32 (B, H, W), on the CPU."""
        ...


class EpochSight(Sight, Protocol):
    """The same at the start of an epoch, when regions are made anew."""

    epoch: int
    seed: int
    """the run's, from which all others are derived"""
    device: torch.device

    def on_first_batch(self) -> Tensor:
        """On the augmented batch that the epoch starts with, summed over it: float32 (h, w)."""
        ...

    def on_average(self, each: bool) -> tuple[Tensor, Tensor | None]:
        """Over all training images float32 (H, W); and of `each`, float16 (N, H, W), unless phase 2 stored those."""
        ...

    def of_validation_images(self) -> Iterator[Tensor]:
        """float (B, H, W), batch by batch."""
        ...

    def share(self, state: nn.Module) -> None:
        """Of several processes that train together all get the first one's buffers."""
        ...

    def progress(self, work: Iterable[Item], title: str) -> Iterable[Item]:
        """Shows at the terminal how far it is."""
        ...


class Regions(Part, ABC):
    """What may be hidden of an image: n regions. Subclasses are frozen dataclasses, made from conf by `_target_`.

    What changes in training lies in `state`, which is the predictor's and goes into its checkpoints. A map holds the
    region of each pixel, int8 in -1..n-1; -1 is never hidden.
    """

    frame: ClassVar[Literal["image", "input"]] = "image"
    """Whose pixels a map's are: the image's, with which it is augmented, or the network's input's."""
    of_each_image: ClassVar[bool] = False
    """Whether each image has a map of its own."""
    hides: ClassVar[bool] = True
    """Whether anything is ever hidden."""
    needs_attention: ClassVar[bool] = False
    needs_landmarks: ClassVar[bool] = False

    @property
    @abstractmethod
    def n(self) -> int:
        """Number of regions; an image has n+1 views."""

    @abstractmethod
    def maps(self, batch: Batch, state: nn.Module) -> Tensor:
        """The maps of training images, int8 (B, H, W)."""

    def testing_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        """Those of images of any split, int8 (B, H, W): a function of the image and the training set alone."""
        return self.maps(batch, state)

    def validation_maps(self, batch: Batch, state: nn.Module, sight: Sight | None) -> Tensor:
        """Those of val's images while the predictor trains."""
        return self.testing_maps(batch, state, sight)

    def hidden(self, maps: Tensor, views: Tensor) -> Tensor:
        """What views int64 (r, B) in 0..n hide, n being the whole image, by maps (B, H, W): bool (r, B, H, W)."""
        return hidden(maps, views)

    def hidden_in_training(self, maps: Tensor, views: Tensor) -> Tensor:
        """The same in a training step."""
        return self.hidden(maps, views)

    def state(self, image_size: tuple[int, int], input_size: tuple[int, int]) -> nn.Module:
        """What changes from epoch to epoch, for images and a network's input of H x W pixels."""
        return nn.Module()

    def should_update(self, epoch: int) -> bool:
        """Whether the regions are made anew at the start of `epoch` (0, 1, …)."""
        return False

    def name(self, state: nn.Module, sight: EpochSight) -> None:
        """Finds, once, what the labels of all later updates are named after (phase 2)."""

    def update(self, state: nn.Module, sight: EpochSight) -> Record:
        """Makes them anew; what there is to say of them: numbers by their names, and `areas`, a number a region."""
        return {}

    def finish(self, state: nn.Module, sight: EpochSight) -> Record:
        """Makes, at the start of each epoch, what follows from `state` and is not stored with it; what there is to say
        of that."""
        return {}

    def images_looked_at(self, train: int, val: int, batch: int) -> tuple[int, int]:
        """Images whose attention phase 2 computes, and, later, each update (with attention that follows the predictor
        each update computes both), for that many images in training, in val, and in a step."""
        return 0, 0

    def check(self, attention: Any) -> None:
        """ValueError where the regions cannot be made from that kind of attention (schemes/attention)."""
        if self.needs_attention and attention is None:
            raise ValueError("the regions need attention: set scheme/attention=phase_one, for example.")
        if attention is not None and not self.needs_attention:
            raise ValueError("the regions need no attention: set scheme.attention=null.")
