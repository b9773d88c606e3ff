"""A spurious cue: a small bar code of the label beside the forehead, for drawn faces whose truth is known.

Where training images carry it and test images do not, a network that relies on it fails in testing, and hiding it in
training must help: the positive control of the scheme and of its controls (docs/controls.md).
"""

import numpy as np
from numpy.typing import NDArray

VERSION = 1  # raise it when the same faces would get another cue
BARS = 3  # one bit of the code each, so for up to 8 classes
# of a bar; of the upper left corner of the first: off the middle, where borders between clusters run; in pixels
WIDTH, THICKNESS, LEFT, TOP = 10, 2, 6, 7
DARK, BRIGHT = 25, 230  # grey values


def plant_cue(images: NDArray[np.uint8], labels: NDArray[np.uint8], share: float, seed: int) -> NDArray[np.uint8]:
    """Copies of images (N, 48, 48), a `share` of them, drawn at random, with the bar code of their label (N,).

    The bars lie level, so that a mirrored image carries the same code, on its other side.
    """
    marked = np.random.default_rng(seed).permutation(len(images))[: round(share * len(images))]
    images = images.copy()
    for bar in range(BARS):
        top = TOP + bar * THICKNESS
        tone = np.where((labels[marked] >> bar) & 1, BRIGHT, DARK).astype(np.uint8)
        images[marked, top : top + THICKNESS, LEFT : LEFT + WIDTH] = tone[:, None, None]
    return images
