"""The facial action units (Ekman and Friesen's FACS) of the drawn faces, as tables.

A unit's effects are displacements at full intensity (1.0), added up over a face's units. Lengths are in head
units: one head unit is one pixel of a 48-pixel frame at scale 1, where a head is about 30 wide. Up, out and
open are positive. What has no length (a wrinkle) is a strength, 0 = not there.
"""

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.emotions import EMOTIONS

# The units that FACS gives each emotion.
EMOTION_UNITS: dict[str, tuple[int, ...]] = {
    "angry": (4, 5, 7, 23),
    "disgust": (9, 15, 16),
    "fear": (1, 2, 4, 5, 20, 26),
    "happy": (6, 12),
    "sad": (1, 4, 15),
    "surprise": (1, 2, 5, 26),
    "neutral": (),
}

# Units that often come with the emotion, and in what share of its faces.
COMPANION_UNITS: dict[str, dict[int, float]] = {
    "angry": {25: 0.35},
    "disgust": {10: 0.6, 25: 0.3},
    "fear": {},
    "happy": {25: 0.7},
    "sad": {17: 0.5},
    "surprise": {},
    "neutral": {},
}

UNIT_EFFECTS: dict[int, dict[str, float]] = {
    1: {"brow_inner": 3.4, "forehead_lines": 0.5},  # inner brow raiser
    2: {"brow_outer": 2.9, "brow_arch": 0.7, "brow_inner": 0.5, "forehead_lines": 0.5},  # outer brow raiser
    4: {"brow_inner": -1.9, "brow_outer": -0.3, "brow_arch": -0.4, "brow_pinch": 1.3, "furrow": 1.0},  # brow lowerer
    5: {"upper_lid": 1.15},  # upper lid raiser
    6: {"lower_lid": 0.95, "upper_lid": -0.35, "cheek": 1.0, "crows_feet": 1.0},  # cheek raiser
    7: {"upper_lid": -0.75, "lower_lid": 0.75},  # lid tightener
    9: {  # nose wrinkler
        "nose_wrinkle": 1.0,
        "nose_up": 1.0,
        "brow_inner": -1.4,
        "brow_pinch": 0.6,
        "upper_lid": -0.55,
        "lower_lid": 0.75,
        "upper_lip_up": 1.1,
        "upper_teeth": 0.5,
        "nasolabial": 0.8,
    },
    10: {"upper_lip_up": 0.7, "upper_teeth": 0.4, "nasolabial": 0.5},  # upper lip raiser
    12: {"corner_up": 2.9, "corner_out": 1.5, "nasolabial": 0.9, "cheek": 0.4, "upper_teeth": 1.0},  # lip corner puller
    15: {"corner_up": -2.6, "corner_out": -0.2},  # lip corner depressor
    16: {"lips_apart": 0.9, "lower_lip": 0.5, "lower_teeth": 1.0},  # lower lip depressor
    17: {"corner_up": -0.7, "lower_lip": 0.3, "mouth_up": 0.8, "chin_boss": 1.0},  # chin raiser
    20: {
        "corner_out": 2.9,
        "corner_up": -0.9,
        "lip_thickness": -0.2,
        "roundness": -0.3,
        "upper_teeth": 0.7,
    },  # lip stretcher
    23: {"lip_thickness": -0.55, "corner_out": -0.9, "corner_up": -0.4},  # lip tightener
    25: {"lips_apart": 1.9, "upper_teeth": 0.3},  # lips part
    26: {"lips_apart": 4.4, "jaw_drop": 2.0, "corner_out": -1.9, "roundness": 0.85, "upper_teeth": 0.3},  # jaw drop
}

UNITS = tuple(UNIT_EFFECTS)
MOVES = tuple(sorted({move for effects in UNIT_EFFECTS.values() for move in effects}))

# What keeps the emotions from being trivially told apart: an expression's strength runs from the least to the
# most, a single unit departs from it, and in a share of the faces a unit of no meaning is weakly active.
STRENGTH = 0.3, 1.25
UNIT_SPREAD = 0.2
STRAY_SHARE = 0.35
MOST_STRAY = 0.55


def unit_intensities(
    drawn: NDArray[np.uint8], rng: np.random.Generator, strength: tuple[float, float] = STRENGTH
) -> NDArray[np.float64]:
    """(N, len(UNITS)) intensities of faces that show the emotions `drawn` (N,); `strength`: the least and most."""
    least, most = strength
    n = len(drawn)
    chance = np.zeros((len(EMOTIONS), len(UNITS)))
    for row, emotion in enumerate(EMOTIONS):
        for unit in EMOTION_UNITS[emotion]:
            chance[row, UNITS.index(unit)] = 1.0
        for unit, share in COMPANION_UNITS[emotion].items():
            chance[row, UNITS.index(unit)] = share
    active = rng.random((n, len(UNITS))) < chance[drawn]
    of_face = least + (most - least) * rng.beta(2.4, 1.7, n)
    intensities: NDArray[np.float64] = (
        active * of_face[:, None] * rng.normal(1.0, UNIT_SPREAD, (n, len(UNITS))).clip(0.4, 1.5)
    )
    stray = np.where(rng.random(n) < STRAY_SHARE, rng.uniform(0.1, MOST_STRAY, n), 0.0)
    intensities[np.arange(n), rng.integers(0, len(UNITS), n)] += stray
    return intensities


def moves(intensities: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """What intensities (N, len(UNITS)) do to the geometry: by name of the move, (N,) each."""
    total = {move: np.zeros(len(intensities)) for move in MOVES}
    for unit, intensity in zip(UNITS, intensities.T, strict=True):
        for move, effect in UNIT_EFFECTS[unit].items():
            total[move] += effect * intensity
    return total
