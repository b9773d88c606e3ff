"""Phase 3: a new classifier learns from the image and its copies with one cluster hidden (paper, section 3)."""

import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn

from fer_perturb.data.augmentation.crops import TestTimeAugmentation
from fer_perturb.data.loading.batches import Batch
from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.experiment.recipe import Recipe
from fer_perturb.perturb.frames import decode, encode
from fer_perturb.perturb.views import hide
from fer_perturb.schemes.scheme import Scheme
from fer_perturb.schemes.views import all_views
from fer_perturb.tasks.phases.sight import RunAttention
from fer_perturb.tasks.training.classifier import Classifier

VERSION = 4  # raise it when the phase's result changes: stored results of older versions are not used again


class Predictor(Classifier):
    """A classifier trained on views that hide the regions of a scheme.

    `region_state` holds what the regions learn from epoch to epoch (see Regions.state); ClusterMaskCallback renews it,
    and it is stored in checkpoints. sight: where the scheme looks.
    """

    def __init__(
        self,
        network: nn.Module,
        data: FaceDataModule,
        recipe: Recipe,
        seed: int,
        scheme: Scheme,
        sight: RunAttention,
    ) -> None:
        super().__init__(network, data, recipe, seed)
        assert scheme.regions is not None
        assert scheme.views is not None
        self.scheme, self.regions, self.view_choice = scheme, scheme.regions, scheme.views
        self.fill = scheme.views.fill_value(data.mean)
        self.image_size = data.packed.image_size
        self.region_state = self.regions.state(self.image_size, recipe.input_size(self.image_size))
        self.sight = sight.followed(self) if sight.follows_predictor else sight

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, maps = self.augmented(batch)
        views = self.view_choice.of_a_step(len(images), self.regions.n, images.device)
        hidden = self.regions.hidden_in_training(maps, views)
        return self.train_on(hide(images, hidden, self.fill).flatten(0, 1), batch["label"])

    def augmented(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Training images (B, 1, h, w) in [0, 1] and their maps int8 (B, h, w)."""
        maps = self.regions.maps(batch, self.region_state)
        if self.regions.frame == "input":  # where the augmented images are
            images, _ = self.augmentation(batch["image"])
            return images, maps[:1].expand(len(images), -1, -1)
        images, planes = self.augmentation(batch["image"], encode(maps))  # the map goes with its image
        return images, decode(planes)

    def evaluate(self, batch: Batch, tta: TestTimeAugmentation) -> Tensor:
        crops = self.crops(batch["image"], tta)
        maps = self.maps_of_crops(batch, tta, len(crops))
        logits = []
        for crop, of_crop in zip(crops, maps, strict=True):
            logits.append(torch.stack([self(view).float() for view in self.views(crop, of_crop)]))
        return torch.stack(logits)

    def maps_of_crops(self, batch: Batch, tta: TestTimeAugmentation, count: int) -> Tensor:
        """The maps of the `count` test-time crops of images of any split, int8 (T, B, h, w)."""
        maps = self.tested_maps(batch)
        if self.regions.frame == "input":
            return maps.expand(count, -1, -1, -1)
        return torch.stack([decode(planes) for planes in self.crops(encode(maps), tta)])

    def tested_maps(self, batch: Batch) -> Tensor:
        """The maps of images of any split, int8 (B, H, W)."""
        fitting = self._trainer is not None and self.trainer.state.fn == TrainerFn.FITTING
        maps_of = self.regions.validation_maps if fitting else self.regions.testing_maps
        return maps_of(batch, self.region_state, self.sight)

    def views(self, images: Tensor, maps: Tensor) -> Tensor:
        """The n+1 views (n+1, B, C, H, W) of images (B, C, H, W) by maps (B, H, W)."""
        views = all_views(len(images), self.regions.n, images.device)
        return hide(images, self.regions.hidden(maps, views), self.fill)

    def test_inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A batch as the network is tested on it: images (B, 1, h, w) in [0, 1] and maps int8 (B, h, w)."""
        images, maps = self.crops(batch["image"], "none")[0], self.tested_maps(batch)
        if self.regions.frame == "input":
            return images, maps
        return images, decode(self.crops(encode(maps), "none")[0])

    def score(self, logits: Tensor) -> Tensor:
        return logits.mean(dim=(0, 1)) if self.scheme.inference == "views" else super().score(logits)
