"""The clusters, and with them the masks, are computed again at the start of each epoch."""

import time
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from tqdm import tqdm

from fer_perturb.data.augmentation.augment import to_unit
from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.perturb.clusters import areas, changed
from fer_perturb.tasks.attention_clustering import cluster, describe
from fer_perturb.tasks.attention_source import (
    AttentionSource,
    AttentionSum,
    first_batch_attention,
    undisturbed,
)
from fer_perturb.tasks.costs import attention_passes
from fer_perturb.tasks.predictor import Predictor
from fer_perturb.tasks.processes import share_buffers
from fer_perturb.tasks.seeds import derive

CHUNK = 1024  # images whose maps are clustered at a time


class ClusterMaskCallback(pl.Callback):
    """Recomputes the predictor's cluster maps with faiss k-means, every `scheme.every_n_epochs` epochs.

    What is clustered follows `scheme.scope` and `scheme.attention`, where k-means starts `scheme.init`. A
    cluster keeps its label from epoch to epoch. The random stream, the training modes and the gradients are left
    as they were. `history` holds, for each re-clustering, its epoch, inertia, areas, agreement with the
    position-only map, share of pixels that changed their cluster, and seconds.
    """

    def __init__(self, source: AttentionSource, data: FaceDataModule) -> None:
        self.source = source
        self.data = data
        self.history: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = state_dict["history"]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Predictor)
        share_buffers(pl_module)  # several processes look with the same network, and see the same
        with undisturbed(trainer, pl_module):
            if trainer.current_epoch % pl_module.scheme.every_n_epochs == 0:
                self.update(trainer, pl_module)
            elif pl_module.scheme.scope == "image" and not pl_module.image_maps:
                self.update_image_maps(trainer, pl_module, None)  # resumed: they follow from the centres

    def update(self, trainer: pl.Trainer, predictor: Predictor) -> None:
        """Clusters the attention of this epoch, and gives the predictor its maps."""
        started = time.perf_counter()
        scheme, epoch = predictor.scheme, trainer.current_epoch
        attention, rows = self.attention(trainer, predictor)
        looks = attention_passes(scheme, predictor.recipe, self.data)
        known = bool(predictor.centres.any())  # not before the first clustering with scheme.attention=self
        centres = predictor.centres.cpu() if known else None
        resumed = bool(self.history) and not predictor.image_maps
        if resumed and scheme.scope == "image" and self.source.frozen is not None:
            self.update_image_maps(trainer, predictor, None)  # the maps of the epoch before
        result = cluster(
            attention.to(predictor.device),
            scheme,
            seed=derive(predictor.seed, "clusters", epoch),
            start=centres if scheme.init == "previous" else None,
            reference=centres,
        )
        labels = scheme.hidden_regions(attention.cpu()[None], result.labels[None])[0]
        share = changed(predictor.cluster_map.cpu(), labels) if known else 1.0
        same_centres = centres is not None and torch.allclose(centres, result.centres, atol=1e-6)
        if not same_centres:
            predictor.centres.copy_(result.centres)
        predictor.cluster_map.copy_(labels)
        share_buffers(predictor)  # the same masks on all
        record = {"epoch": epoch, **describe(result, scheme, predictor.seed), "changed": share}
        if scheme.one_region:
            record["areas"] = [float(area) for area in areas(labels, scheme.n_clusters)]
        if scheme.scope == "image":
            # with frozen attention a map can change only with the centres that its clustering starts from
            if same_centres and self.source.frozen is not None and predictor.image_maps:
                looks = 0
            else:
                share = self.update_image_maps(trainer, predictor, rows)
            maps = predictor.image_maps["train"]
            record["changed"] = share
            record["areas"] = [float(area) for area in areas(maps, scheme.n_clusters)]
        record["attention_passes"] = looks
        record["seconds"] = time.perf_counter() - started
        self.history.append(record)
        log_record(predictor, record)

    def attention(self, trainer: pl.Trainer, predictor: Predictor) -> tuple[Tensor, Tensor | None]:
        """The map to cluster, float32 (H, W), and, where it was computed just now, each image's (N, H, W)."""
        classifier = self.source.classifier(predictor)
        if predictor.scheme.scope == "batch":
            return first_batch_attention(classifier, predictor, self.data, trainer.current_epoch), None
        if self.source.frozen is not None:
            return self.source.stored_mean(), None
        split = self.data.data.splits["train"]
        per_image = predictor.scheme.scope == "image"
        rows = np.empty((len(split), *self.data.data.image_size), dtype=np.float16) if per_image else None
        total = AttentionSum(self.data, rows)
        batches = self.data.in_order("train")
        for batch in tqdm(batches, "Attention", leave=False, disable=not trainer.progress_bar_callback):
            images = to_unit(batch["image"].to(predictor.device))
            total.add(batch["index"], classifier.attention(images))
        return total.mean(), None if rows is None else torch.from_numpy(rows)

    def update_image_maps(self, trainer: pl.Trainer, predictor: Predictor, rows: Tensor | None) -> float:
        """Clusters each training and validation image by its own attention; the share of pixels that changed."""
        size = self.data.data.image_size
        quiet = not trainer.progress_bar_callback
        n = len(self.data.data.splits["train"])
        train = torch.empty((n, *size), dtype=torch.int8, device=predictor.device)
        for start in tqdm(range(0, n, CHUNK), "Clusters of each image", leave=False, disable=quiet):
            chunk = slice(start, start + CHUNK)
            attention = self.source.stored_rows(chunk) if rows is None else rows[chunk].float()
            train[chunk] = predictor.maps_of(attention.to(predictor.device))
        classifier = self.source.classifier(predictor)
        val = [
            predictor.maps_of(classifier.attention(to_unit(batch["image"].to(predictor.device))))
            for batch in tqdm(self.data.in_order("val"), "Clusters of val", leave=False, disable=quiet)
        ]
        before = predictor.image_maps.get("train")
        predictor.image_maps = {"train": train, "val": torch.cat(val)}
        return 1.0 if before is None else changed(before, train)


def log_record(predictor: Predictor, record: dict[str, Any]) -> None:
    """Logs one re-clustering's entry of `history`."""
    values = {f"clusters/{key}": record[key] for key in ("inertia", "ari_position_only", "changed", "seconds")}
    values |= {f"clusters/area_{label}": area for label, area in enumerate(record["areas"])}
    numbers = {key: float(value) for key, value in values.items()}
    predictor.log_dict(numbers, on_step=False, on_epoch=True, sync_dist=True)
