"""Where the faces of a picture are."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_perturb.errors import UserError
from fer_perturb.prediction.face import Box

LARGEST = 1200  # pixels of the longer side that faces are looked for in: what is larger is shrunk
SMALLEST = 24  # pixels of a face's side there: the cascade was trained at 20
NEIGHBOURS = 6  # overlapping hits that make a face: OpenCV's 3 takes more of what is none

Finder = Callable[[NDArray[np.uint8]], list[Box | None]]


def whole(grey: NDArray[np.uint8]) -> list[Box | None]:
    """The picture is a face."""
    return [None]


def haar(grey: NDArray[np.uint8]) -> list[Box | None]:
    """Frontal faces by OpenCV's Haar cascade (Viola and Jones 2001; Lienhart's), the largest first.

    FER2013's pictures were cut out along OpenCV's boxes, too (Goodfellow et al. 2013, section 2), so that a network
    sees here what it was trained on. It misses profiles and tilted heads, and finds faces where there are none.
    """
    scale = min(1.0, LARGEST / max(grey.shape))
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in grey.shape)
        small = np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR))
    else:
        small = grey
    found = _cascade().detectMultiScale(small, 1.1, NEIGHBOURS, minSize=(SMALLEST, SMALLEST))
    boxes = sorted(([round(int(side) / scale) for side in box] for box in found), key=lambda box: (-box[2], box))
    return [Box(*box) for box in boxes]


FINDERS: dict[str, Finder] = {"haar": haar, "whole": whole}


def finder(name: str) -> Finder:
    """The one of that name; UserError where there is none, or where OpenCV is needed and missing."""
    if name not in FINDERS:
        raise UserError(f"faces={name}: expected haar (look for them) or whole (each picture is one).")
    if name == "haar":
        _cascade()
    return FINDERS[name]


def cut(grey: NDArray[np.uint8], box: Box | None) -> NDArray[np.uint8]:
    """A face (h, w) of a picture (H, W)."""
    return grey if box is None else grey[box.top : box.top + box.height, box.left : box.left + box.width]


@cache
def _cascade() -> Any:
    try:
        cv2: Any = import_module("cv2")
        file = f"{import_module('cv2.data').haarcascades}haarcascade_frontalface_alt2.xml"
        cascade = cv2.CascadeClassifier(file)
    except (ImportError, AttributeError) as error:  # OpenCV 5 has no cascades
        raise UserError(
            "faces=haar needs OpenCV 4, which brings its detector: pip install 'fer_perturb[predict]'. Without it "
            "faces=whole takes each picture as one face."
        ) from error
    if cascade.empty():
        raise UserError(f"{file} is missing or damaged. Install opencv-python-headless again, or take faces=whole.")
    return cascade
