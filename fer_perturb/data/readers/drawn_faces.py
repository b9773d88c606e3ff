"""Drawn faces as a dataset, with all that is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from fer_perturb.data.drawn_faces.action_units import STRENGTH
from fer_perturb.data.drawn_faces.drawing import draw_faces
from fer_perturb.data.drawn_faces.planted_cue import VERSION as CUE_VERSION
from fer_perturb.data.drawn_faces.planted_cue import plant_cue
from fer_perturb.data.emotions import EMOTIONS, SPLITS
from fer_perturb.data.packed import PackedData, RawSplit
from fer_perturb.data.packed.format import LANDMARKS
from fer_perturb.data.readers.reader import VERSION, Reading
from fer_perturb.errors import UserError, say

FORM = "drawn"


@dataclass(frozen=True)
class DrawnFacesMaker:
    """Drawn faces (see drawn_faces/drawing.py): `train`, `val` and `test` of them.

    cue: the share of the training images that carry a bar code of their label (planted_cue.py); none of val and test
    does. strength: the least and the most of an expression. Raises UserError, naming the key, for what cannot be drawn.
    """

    seed: int
    train: int
    val: int
    test: int
    cue: float = 0.0
    strength: Sequence[float] = STRENGTH

    def __post_init__(self) -> None:
        if min(self.counts.values()) < 1:
            raise UserError(f"dataset.drawing has {self.counts}. Expected at least one image in each split.")
        if not 0 <= self.cue <= 1:
            raise UserError(f"dataset.drawing.cue={self.cue}: expected a share from 0 to 1.")
        if len(self.strength) != 2 or not 0 <= self.strength[0] <= self.strength[1] <= STRENGTH[1]:
            raise UserError(
                f"dataset.drawing.strength={list(self.strength)}: expected two ascending numbers from 0 to "
                f"{STRENGTH[1]}, the least and the most of an expression, such as {list(STRENGTH)}."
            )

    @property
    def counts(self) -> dict[str, int]:
        """Split -> images."""
        return dict(zip(SPLITS, (self.train, self.val, self.test), strict=True))

    def settings(self, root: Path) -> dict[str, Any]:
        """See Maker."""
        drawn_by = [VERSION, CUE_VERSION] if self.cue else VERSION
        settings: dict[str, Any] = {"form": FORM, "prepared_by": drawn_by, "seed": self.seed, "counts": self.counts}
        return {**settings, "cue": self.cue, "strength": list(self.strength)}

    def make(self, progress: Progress) -> Reading:
        """See Maker.

        Beside images and labels each split has `landmarks` (N, 68, 2) float32, `drawn` (the emotion that was drawn,
        before label noise) and `regions` (see `drawn_regions`). Images are named face<number>.
        """
        total = sum(self.counts.values())
        say(f"Drawing {total:,} faces.")
        faces = draw_faces(total, self.seed, strength=(self.strength[0], self.strength[1]))
        splits, start = {}, 0
        for split, count in self.counts.items():
            rows = slice(start, start + count)
            cue = self.cue if split == "train" else 0.0
            splits[split] = RawSplit(
                images=plant_cue(faces.images[rows], faces.labels[rows], cue, self.seed),
                labels=faces.labels[rows].astype(np.uint8),
                names=[f"face{number}" for number in range(rows.start, rows.stop)],
                extras={
                    "drawn": faces.drawn[rows].astype(np.uint8),
                    LANDMARKS: faces.landmarks[rows].astype(np.float32),
                    "regions": np.packbits(faces.regions[rows], axis=-1),
                },
            )
            start += count
        return Reading(EMOTIONS, splits, FORM)


def drawn_regions(data: PackedData, split: str) -> NDArray[np.bool_]:
    """(N, 4, H, W) bool: brows, eyes, nose and mouth of each drawn face; KeyError for other datasets."""
    packed = data.extra(split, "regions")
    return np.unpackbits(packed, axis=-1, count=data.image_size[1]).astype(np.bool_)
