"""Drawn faces: an experiment in which everything is known and controlled.

Faces with the action units that FACS gives each emotion (action_units.py), drawn on a grey frame; identity,
pose, light, background, occluders and label noise vary. Nothing in them is taken from a photograph.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.drawn_faces.action_units import STRENGTH, moves, unit_intensities
from fer_perturb.data.drawn_faces.geometry import landmarks
from fer_perturb.data.drawn_faces.render import REGIONS, render
from fer_perturb.data.drawn_faces.sampling import sample_faces
from fer_perturb.data.drawn_faces.scene import NOISE, sample_scenes
from fer_perturb.data.drawn_faces.shapes import take
from fer_perturb.data.emotions import EMOTIONS

__all__ = ["CLASS_COUNTS", "REGIONS", "DrawnFaces", "draw_faces"]

# FER2013's training split, in the order of EMOTIONS: the drawn classes are as unequal.
CLASS_COUNTS = (3995, 436, 4097, 7215, 4830, 3171, 4965)
CHUNK = 32  # images drawn at once: small enough for a core's cache


@dataclass(frozen=True, eq=False)
class DrawnFaces:
    """N drawn faces and all that is known of them.

    images: (N, size, size) uint8, grey, 0 = black.
    labels: (N,) uint8, index into EMOTIONS: the label as observed, some of them wrong (`label_noise`).
    drawn: (N,) uint8, index into EMOTIONS: the emotion that the face really shows.
    landmarks: (N, 68, 2) float32, x and y in pixels (a whole number is a pixel's middle), iBUG's 68 points: jaw
        0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67; a turned head's can lie outside the frame.
    regions: (N, 4, size, size) bool, in the order of REGIONS: brows, eyes, nose, mouth.
    Landmarks and regions are those of the feature, also where an occluder, glasses or hair hide it.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    drawn: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    regions: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)


def draw_faces(
    n: int,
    seed: int,
    *,
    size: int = 48,
    label_noise: float = 0.04,
    strength: tuple[float, float] = STRENGTH,
    chunk: int = CHUNK,
) -> DrawnFaces:
    """Draws `n` faces of `size` x `size` pixels; the same seed gives the same bytes, whatever `chunk`.

    ValueError where an argument is out of range.

    Classes stand in the shares of CLASS_COUNTS, rounded to whole faces, in random order. A share `label_noise`
    of the labels, rounded to whole faces, is replaced by another class, drawn evenly from the other six. `strength`:
    the least and the most of an expression (1 = as FACS has it, 0 = neutral); the weaker, the harder to tell apart.
    """
    if n < 1 or size < 24 or not 0.0 <= label_noise < 1.0 or not 0.0 <= strength[0] <= strength[1] <= STRENGTH[1]:
        raise ValueError(
            f"draw_faces: n={n} (at least 1), size={size} (at least 24), label_noise={label_noise} ([0, 1)), "
            f"strength={strength} (two ascending numbers from 0 to {STRENGTH[1]})"
        )
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(np.repeat(np.arange(len(EMOTIONS), dtype=np.uint8), class_counts(n)))
    labels = with_label_noise(drawn, label_noise, rng)
    faces = sample_faces(n, moves(unit_intensities(drawn, rng, strength)), rng)
    scenes = sample_scenes(n, size, rng)
    noise = rng.standard_normal(NOISE, dtype=np.float32)

    images = np.empty((n, size, size), np.uint8)
    regions = np.empty((n, len(REGIONS), size, size), np.bool_)
    for start in range(0, n, chunk):
        rows = slice(start, start + chunk)
        images[rows], regions[rows] = render(take(faces, rows, 3), take(scenes, rows, 3), noise, size)
    points = (landmarks(faces) + 0.5) * np.float32(size / 48) - 0.5
    return DrawnFaces(images, labels, drawn, points.astype(np.float32), regions)


def class_counts(n: int) -> NDArray[np.intp]:
    """(7,) how many of `n` faces show each emotion: CLASS_COUNTS' shares, the largest remainders rounded up."""
    shares = np.array(CLASS_COUNTS) * n
    counts = shares // sum(CLASS_COUNTS)
    counts[np.argsort(-(shares % sum(CLASS_COUNTS)), kind="stable")[: n - counts.sum()]] += 1
    return counts.astype(np.intp)


def with_label_noise(drawn: NDArray[np.uint8], share: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The labels `drawn` (N,) with round(share * N) of them changed, each to one of the other classes."""
    wrong = rng.permutation(len(drawn))[: round(share * len(drawn))]
    labels = drawn.copy()
    labels[wrong] = (drawn[wrong] + rng.integers(1, len(EMOTIONS), len(wrong))) % len(EMOTIONS)
    return labels
