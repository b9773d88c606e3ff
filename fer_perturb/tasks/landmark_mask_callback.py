"""The control `landmarks` needs no clustering: a face's features lie where they lie."""

import pytorch_lightning as pl
import torch

from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.perturb.landmark_regions import landmark_regions
from fer_perturb.tasks.predictor import Predictor

CHUNK = 256  # images at a time


class LandmarkMaskCallback(pl.Callback):
    """Gives the predictor the maps of the training images' facial features, once."""

    def __init__(self, data: FaceDataModule) -> None:
        self.data = data

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Predictor)
        landmarks = torch.tensor(self.data.data.splits["train"].landmarks)
        size = self.data.data.image_size
        starts = range(0, len(landmarks), CHUNK)
        maps = [landmark_regions(landmarks[low : low + CHUNK].to(pl_module.device), size) for low in starts]
        pl_module.image_maps = {"train": torch.cat(maps)}
