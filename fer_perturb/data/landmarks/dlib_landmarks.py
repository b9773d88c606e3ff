"""iBUG's 68 facial landmarks by dlib's predictor (Kazemi and Sullivan 2014), trained on 300-W.

It is told where the face is: in the whole frame. FER2013's faces are registered, and a detector finds only two thirds
of them. The training data of the predictor are for research, not for commerce.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_perturb.errors import UserError

UPSCALING = 4  # small images are enlarged before the predictor sees them
SHIFT = 0.052  # how far the box is moved and resized, share of the frame's side
# left, top, right, bottom, in multiples of SHIFT: the frame, moved along its diagonals, and larger and smaller
BOXES = ((0, 0, 0, 0), (-1, -1, -1, -1), (1, 1, 1, 1), (-1, 1, -1, 1), (1, -1, 1, -1), (-1, -1, 1, 1), (1, 1, -1, -1))
EYES = (slice(36, 42), slice(42, 48))
MODEL = "shape_predictor_68_face_landmarks.dat"
INSTALL = "Install what it takes with: python -m pip install '.[maskfer]' (in a checkout: make setup)"


def place(image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """The landmarks of an image (H, W) uint8, and how sure they are.

    Returns:
        points: (68, 2) float32, x and y in pixels (a whole number is a pixel's middle): of each coordinate the median
            over BOXES.
        instability: mean distance of the points of one box from those medians, over boxes and points, in multiples of
            the distance between the eyes. 0 = the box does not matter; infinity for an image of one grey value.

    Raises UserError where dlib or the predictor's data file are not installed.
    """
    import dlib

    height, width = image.shape
    large = np.asarray(Image.fromarray(image).resize((UPSCALING * width, UPSCALING * height), Image.Resampling.BICUBIC))
    bottom, right = large.shape[0] - 1, large.shape[1] - 1
    corner = np.array([0, 0, right, bottom]) + SHIFT * np.array(BOXES) * np.array([right, bottom, right, bottom])
    shapes = [shape_predictor()(large, dlib.rectangle(*map(int, box.round()))) for box in corner]
    parts = np.array([[(part.x, part.y) for part in shape.parts()] for shape in shapes])
    found = ((parts + 0.5) / UPSCALING - 0.5).astype(np.float32)
    points = np.median(found, axis=0).astype(np.float32)
    apart = float(np.linalg.norm(points[EYES[0]].mean(axis=0) - points[EYES[1]].mean(axis=0)))
    moved = float(np.linalg.norm(found - points, axis=2).mean())
    sure = apart > 0 and image.min() < image.max()
    return points, moved / apart if sure else float("inf")


@cache
def shape_predictor() -> Any:
    """dlib's predictor with its data file; UserError where one of them is not installed."""
    try:
        import dlib
    except ImportError as error:
        raise UserError(f"Placing landmarks takes dlib, which is not installed. {INSTALL}") from error
    return dlib.shape_predictor(str(model_file()))


def model_file() -> Path:
    """The data file that the package face_recognition_models carries.

    The package is found, not imported: its import takes a module that newer setuptools have not.
    """
    package = importlib.util.find_spec("face_recognition_models")
    for folder in (package and package.submodule_search_locations) or ():
        file = Path(folder, "models", MODEL)
        if file.is_file():
            return file
    raise UserError(f"Placing landmarks takes the package face_recognition_models, with its {MODEL}. {INSTALL}")
