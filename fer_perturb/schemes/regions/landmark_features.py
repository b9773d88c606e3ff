"""In the place of clusters the two eyes and the mouth, where they lie in each image (the control `landmarks`)."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from fer_perturb.checked import STRICT
from fer_perturb.data.loading.batches import Batch
from fer_perturb.perturb.landmark_regions import EYES_AND_MOUTH, landmark_regions
from fer_perturb.schemes.regions.regions import Regions


@dataclass(frozen=True, config=STRICT)
class LandmarkFeatures(Regions):
    """Each pixel belongs to the feature that it is nearest to. Nothing is learned, and nobody's attention counts."""

    needs_landmarks: ClassVar[bool] = True
    of_each_image: ClassVar[bool] = True

    @property
    def n(self) -> int:
        return len(EYES_AND_MOUTH)

    def maps(self, batch: Batch, state: nn.Module) -> Tensor:
        height, width = batch["image"].shape[-2:]
        return landmark_regions(batch["landmarks"], (height, width))
