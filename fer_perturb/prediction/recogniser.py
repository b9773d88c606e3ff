"""A trained run that judges new faces: fer_perturb.load."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_perturb.data.augmentation.augment import to_unit
from fer_perturb.data.decode import resized
from fer_perturb.data.loading.batches import EVALUATION_BATCH, Batch
from fer_perturb.errors import UserError
from fer_perturb.experiment.precision import device_type
from fer_perturb.models.gates import GatedNetwork
from fer_perturb.prediction.face import Box, Face
from fer_perturb.prediction.finding import cut, finder
from fer_perturb.prediction.pictures import grey_pixels
from fer_perturb.prediction.portable import Portable, portable
from fer_perturb.tasks.phases.predictor import Predictor

Picture = str | Path | NDArray[np.uint8]


class Recogniser:
    """Says of each face of a picture which emotion a run's network sees in it.

    It judges as the run was tested: the same crops, views and test-time augmentation, but in float32, whatever the run
    was trained in; on a GPU where there is one.
    """

    def __init__(self, run: Portable) -> None:
        self.classes = run.classes
        self.image_size = run.image_size
        self.task = run.classifier().to(device_type("auto"))

    def __call__(self, picture: Picture, faces: str = "haar") -> list[Face]:
        """The faces of a picture: a file, or pixels uint8 (H, W) or (H, W, 3) in RGB; the largest first.

        faces: "haar" looks for them; with "whole" the picture is one. Raises UserError for what cannot be read.
        """
        grey = grey_pixels(picture)
        boxes = finder(faces)(grey)
        return self.judge(self._stack([cut(grey, box) for box in boxes]), boxes) if boxes else []

    def each(self, pictures: Iterable[str], faces: str = "haar") -> Iterator[tuple[str, list[Face] | UserError]]:
        """The same of many files, in batches over them all; of one that cannot be read, why."""
        find = finder(faces)
        waiting: list[tuple[str, list[Box | None] | UserError]] = []
        crops: list[NDArray[np.uint8]] = []
        for picture in pictures:
            try:
                grey = grey_pixels(picture)
            except UserError as error:
                waiting.append((picture, error))
                continue
            boxes = find(grey)
            waiting.append((picture, boxes))
            crops += [resized(cut(grey, box), self.image_size) for box in boxes]
            if len(crops) >= EVALUATION_BATCH:
                yield from self._judged(waiting, crops)
                waiting, crops = [], []
        yield from self._judged(waiting, crops)

    def judge(self, images: NDArray[np.uint8], boxes: list[Box | None] | None = None) -> list[Face]:
        """Of faces cut out already, uint8 (N, H, W) of `image_size`: as many."""
        boxes = [None] * len(images) if boxes is None else boxes
        return [
            face
            for start in range(0, len(images), EVALUATION_BATCH)
            for face in self._batch(images[start : start + EVALUATION_BATCH], boxes[start : start + EVALUATION_BATCH])
        ]

    def _judged(
        self, waiting: list[tuple[str, list[Box | None] | UserError]], crops: list[NDArray[np.uint8]]
    ) -> Iterator[tuple[str, list[Face] | UserError]]:
        boxes = [box for _, found in waiting if not isinstance(found, UserError) for box in found]
        faces = iter(self.judge(self._stack(crops), boxes))
        for picture, found in waiting:
            yield picture, found if isinstance(found, UserError) else [next(faces) for _ in found]

    def _stack(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        none = np.empty((0, *self.image_size), dtype=np.uint8)
        return np.stack([resized(crop, self.image_size) for crop in crops]) if crops else none

    @torch.inference_mode()
    def _batch(self, images: NDArray[np.uint8], boxes: list[Box | None]) -> list[Face]:
        task, device = self.task, self.task.device
        rows = torch.arange(len(images), device=device)
        batch: Batch = {"image": torch.from_numpy(images)[:, None].to(device), "label": rows, "index": rows}
        logits = task.evaluate(batch, task.recipe.tta)  # (T, V, B, classes)
        shares = _table(task.score(logits).softmax(dim=-1))
        if isinstance(task, Predictor):
            shown, maps = task.test_inputs(batch)
            clusters = list(maps.cpu().numpy())
            of_views = logits.mean(dim=0).softmax(dim=-1).transpose(0, 1)  # (B, V, classes)
            views = [_table(of) for of in of_views]
        else:
            shown, clusters, views = task.crops(batch["image"], "none")[0], [None] * len(images), [[]] * len(images)
        attention = self._attention(batch["image"])
        seen = shown[:, 0].float().cpu().numpy()
        return [
            Face(
                box, self._named(of), tuple(self._named(view) for view in views[k]), seen[k], attention[k], clusters[k]
            )
            for k, (box, of) in enumerate(zip(boxes, shares, strict=True))
        ]

    def _attention(self, images: Tensor) -> list[NDArray[np.float32] | None]:
        """Where the scheme looks, or else the network's own gates, on what is shown of images uint8 (B, 1, H, W)."""
        task = self.task
        whole = to_unit(images)
        if isinstance(task, Predictor) and task.sight.attention is not None:
            maps = task.sight.of_grey(whole)
        elif isinstance(task.network, GatedNetwork):
            maps = task.attention(whole)
        else:
            return [None] * len(images)
        return list(task.crops(maps.float(), "none")[0].cpu().numpy())

    def _named(self, shares: list[float]) -> dict[str, float]:
        return dict(zip(self.classes, shares, strict=True))


def load(run: str | Path) -> Recogniser:
    """The finished run in the directory `run`. Raises UserError where there is none, or a damaged one."""
    return Recogniser(portable(Path(run).expanduser()))


def _table(values: Tensor) -> list[list[float]]:
    rows: list[list[float]] = values.float().cpu().tolist()
    return rows
