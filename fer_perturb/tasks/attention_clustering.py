"""Phase 2: the pixels are clustered by position and attention (paper, section 3, Eq. 1)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor
from torch.utils.data import DataLoader

from fer_perturb.data.augmentation.augment import to_unit
from fer_perturb.data.loading.batches import Batch
from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.errors import UserError
from fer_perturb.files import write_bytes, write_npy
from fer_perturb.perturb.clusters import ClusterMap, agreement, areas, cluster_map, position_only_map
from fer_perturb.tasks.attention_source import AttentionSum, first_batch_attention
from fer_perturb.tasks.classifier import Classifier
from fer_perturb.tasks.scheme import Scheme
from fer_perturb.tasks.seeds import derive

VERSION = 3  # raise it when the phase's result changes: stored results of older versions are not used again


class AttentionClustering(pl.LightningModule):
    """The frozen attention classifier (or GreyValues) looks at the training images; what it attends is clustered.

    `trainer.predict` on it leaves in `directory`: `attention.npy`, float32 (H, W), what was clustered;
    `attention_per_image.npy`, float16 (N, H, W), with `scope=image`; and `clusters.safetensors`.
    """

    def __init__(
        self,
        classifier: Classifier,
        data: FaceDataModule,
        scheme: Scheme,
        directory: Path,
        seed: int,
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.data = data
        self.scheme = scheme
        self.directory = directory
        self.seed = seed
        self.result: ClusterMap | None = None

    def predict_dataloader(self) -> DataLoader[Batch]:
        if self.scheme.scope == "batch":
            only: Any = [self.data.first_batch(0)]
            return DataLoader(only, batch_size=None)
        return self.data.in_order("train")

    def on_predict_start(self) -> None:
        rows: NDArray[np.float16] | None = None
        if self.scheme.scope == "image":
            shape = (len(self.data.data.splits["train"]), *self.data.data.image_size)
            path = self.directory / "attention_per_image.npy"
            rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        self.sum = AttentionSum(self.data, rows)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The attention on the batch: of each image, float (B, H, W), or of all together, float32 (H, W)."""
        if self.scheme.scope == "batch":
            self.attention = first_batch_attention(self.classifier, self.classifier, self.data, epoch=0)
            return self.attention
        maps = self.classifier.attention(to_unit(batch["image"]))
        self.sum.add(batch["index"], maps)
        return maps

    def on_predict_end(self) -> None:
        if self.scheme.scope != "batch":
            self.attention = self.sum.mean().to(self.device)
        if isinstance(self.sum.rows, np.memmap):
            self.sum.rows.flush()
        self.result = cluster(self.attention, self.scheme, seed=derive(self.seed, "clusters"))
        write_npy(self.directory / "attention.npy", self.attention.cpu().numpy())
        save_clusters(self.directory, self.result)


def cluster(
    attention: Tensor, scheme: Scheme, seed: int, start: Tensor | None = None, reference: Tensor | None = None
) -> ClusterMap:
    """`perturb.clusters.cluster_map` for people: UserError where the attention (H, W) cannot be clustered so.

    It is clustered on its own device; the result lies on the CPU.
    """
    try:
        found = cluster_map(attention, scheme.clusters, seed=seed, start=start, reference=reference)
        return ClusterMap(found.labels.cpu(), found.centres.cpu(), found.inertia)
    except ValueError as error:
        raise UserError(
            f"The attention cannot be clustered: {error}. Change scheme.n_clusters or scheme.top_share, or, where the "
            "attention is not finite, the training of phase 1 (recipe.optimizer.lr)."
        ) from error


def describe(result: ClusterMap, scheme: Scheme, seed: int) -> dict[str, Any]:
    """Inertia, area of each cluster (share of the pixels) and agreement with the position-only map."""
    height, width = result.labels.shape
    # from the map's own centres: the position-only clustering has several equal optima, and this is the nearest
    alone = position_only_map(
        (height, width), scheme.clusters, seed=derive(seed, "position only"), start=result.centres
    )
    return {
        "inertia": result.inertia,
        "areas": [float(area) for area in areas(result.labels, scheme.n_clusters)],
        "ari_position_only": agreement(result.labels, alone.labels),
    }


def save_clusters(directory: Path, result: ClusterMap) -> None:
    """Writes the map, its centres and its inertia, whole or not at all."""
    tensors: dict[str, Tensor] = {
        "cluster_map": result.labels.contiguous(),
        "centres": result.centres.contiguous(),
        "inertia": torch.tensor(result.inertia, dtype=torch.float64),
    }
    write_bytes(directory / "clusters.safetensors", save(tensors))


def load_clusters(directory: Path) -> ClusterMap:
    """What `save_clusters` wrote."""
    tensors = load_file(directory / "clusters.safetensors")
    return ClusterMap(tensors["cluster_map"], tensors["centres"], float(tensors["inertia"]))
