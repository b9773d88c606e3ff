"""Phase 3: a new classifier learns from the image and its copies with one cluster hidden (paper, section 3)."""

import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn

from fer_perturb.data.augmentation.augment import to_unit
from fer_perturb.data.augmentation.crops import TestTimeAugmentation
from fer_perturb.data.loading.batches import Batch
from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.perturb.clusters import cluster_maps_per_image
from fer_perturb.perturb.frames import decode, encode
from fer_perturb.perturb.landmark_regions import landmark_regions
from fer_perturb.perturb.moved import flipped, other_image
from fer_perturb.perturb.rectangles import all_rectangle_views, sample_rectangle_views
from fer_perturb.perturb.views import all_views, draw_views, sample_views
from fer_perturb.tasks.attention_source import AttentionSource
from fer_perturb.tasks.classifier import Classifier
from fer_perturb.tasks.recipe import Recipe
from fer_perturb.tasks.scheme import Scheme

VERSION = 3  # raise it when the phase's result changes: stored results of older versions are not used again


class Predictor(Classifier):
    """A classifier trained on masked views.

    `cluster_map`, int8 (H, W), is the map of `scope=batch` (in the frame of the network's input) or
    `scope=dataset` (in the image's frame); `centres`, float32 (n, 3), are the centres that belong to it. Both are
    set by ClusterMaskCallback and stored in checkpoints. With `scope=image`, `image_maps["train"]` and
    `image_maps["val"]`, int8 (N, H, W) on the predictor's device, hold each image's map; they follow from `centres`
    and are not stored. With `scheme.hide=most_attended` or least_attended the maps hold one region, the label 0, which
    all masked views hide.
    """

    cluster_map: Tensor
    centres: Tensor

    def __init__(
        self,
        network: nn.Module,
        data: FaceDataModule,
        recipe: Recipe,
        seed: int,
        scheme: Scheme,
        source: AttentionSource | None,
    ) -> None:
        super().__init__(network, data, recipe, seed)
        self.scheme = scheme
        self.fill = scheme.fill_value(data.mean)
        self._source = source
        self.n_train = len(data.data.splits["train"])
        self.image_maps: dict[str, Tensor] = {}
        self.image_size = data.data.image_size
        frame = recipe.input_size(self.image_size) if scheme.scope == "batch" else self.image_size
        self.register_buffer("cluster_map", torch.full(frame, -1, dtype=torch.int8))
        self.register_buffer("centres", torch.zeros(scheme.n_clusters, 3))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if not self.scheme.masks:
            return super().training_step(batch, batch_idx)
        n = self.scheme.n_clusters
        if self.scheme.scope == "batch":  # the map lives in the frame of the augmented batch
            images, _ = self.augmentation(batch["image"])
            labels = self.placed_map()
        else:  # the map goes with its image through the same draw
            maps = self.training_maps(batch["index"])
            images, planes = self.augmentation(batch["image"], encode(maps))
            labels = decode(planes)
        rectangle = self.scheme.hide == "rectangle"
        if self.scheme.views == "all":
            views = all_rectangle_views(images, labels, n, self.fill) if rectangle else self.views(images, labels)
            return self.train_on(views.flatten(0, 1), batch["label"])
        choice = draw_views(len(images), n, self.scheme.clean_share, images.device)
        if rectangle:
            views = sample_rectangle_views(images, labels, choice, n, self.fill)
        else:
            choice = choice // n if self.scheme.one_region else choice
            views = sample_views(images, labels, choice, self.fill)
        return self.train_on(views, batch["label"])

    def views(self, images: Tensor, labels: Tensor) -> Tensor:
        """The n+1 views (n+1, B, C, H, W) of images (B, C, H, W) by maps (H, W) or (B, H, W)."""
        n = self.scheme.n_clusters
        if self.scheme.one_region:  # n times the image without it, and the image
            views = all_views(images, labels, 1, self.fill)
            return torch.cat([views[:1]] * n + [views[1:]])
        return all_views(images, labels, n, self.fill)

    def placed_map(self) -> Tensor:
        """The one map (H, W) as it is applied: in its place, or, as controls, upside down or hiding nothing."""
        if self.scheme.hide == "nothing":
            return torch.full_like(self.cluster_map, -1)
        return flipped(self.cluster_map) if self.scheme.hide == "moved" else self.cluster_map

    def training_maps(self, index: Tensor) -> Tensor:
        """The maps of training images, int8 (B, H, W), in the frame of the un-augmented image."""
        if self.scheme.scope != "image":
            return self.placed_map().expand(len(index), -1, -1)
        rows = other_image(index, self.n_train) if self.scheme.hide == "moved" else index
        maps = self.image_maps["train"][rows]
        return torch.full_like(maps, -1) if self.scheme.hide == "nothing" else maps

    def evaluate(self, batch: Batch, tta: TestTimeAugmentation) -> Tensor:
        if not self.scheme.masks:
            return super().evaluate(batch, tta)
        crops = self.crops(batch["image"], tta)
        if self.scheme.scope == "batch":
            labels = self.placed_map().expand(*crops.shape[:2], -1, -1)
        else:
            maps = self.evaluation_maps(batch)
            labels = torch.stack([decode(planes) for planes in self.crops(encode(maps), tta)])
        logits = []
        for crop, label in zip(crops, labels, strict=True):
            logits.append(torch.stack([self(view).float() for view in self.views(crop, label)]))
        return torch.stack(logits)

    def evaluation_maps(self, batch: Batch) -> Tensor:
        """The maps of images of any split, int8 (B, H, W): a function of the image and the training set alone."""
        images, index = batch["image"], batch["index"]
        if self.scheme.scope == "dataset":
            return self.placed_map().expand(len(index), -1, -1)
        if self.scheme.hide == "nothing":
            return torch.full_like(images.squeeze(1), -1, dtype=torch.int8)
        if self.scheme.attention == "landmarks":
            return landmark_regions(batch["landmarks"], self.image_size)
        assert self._source is not None
        if self.scheme.hide == "moved":  # a training image's map, not another test image's
            attention = self._source.stored_rows(other_image(index.cpu(), self.n_train)).to(self.device)
        elif self.trainer.state.fn == TrainerFn.FITTING:
            return self.image_maps["val"][index]
        else:
            attention = self._source.classifier(self).attention(to_unit(images))
        return self.maps_of(attention)

    def maps_of(self, attention: Tensor) -> Tensor:
        """`scheme.scope=image`: the maps int8 (B, H, W) of attention (B, H, W)."""
        labels = cluster_maps_per_image(attention, self.scheme.clusters, self.centres)
        return self.scheme.hidden_regions(attention, labels)

    def shown(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A batch as the network is tested on it: images (B, 1, h, w) in [0, 1] and maps int8 (B, h, w)."""
        images = self.crops(batch["image"], "none")[0]
        if self.scheme.scope == "batch":
            return images, self.placed_map().expand(len(images), -1, -1)
        return images, decode(self.crops(encode(self.evaluation_maps(batch)), "none")[0])

    def score(self, logits: Tensor) -> Tensor:
        return logits.mean(dim=(0, 1)) if self.scheme.inference == "views" else super().score(logits)
