"""Draws faces: curves and simple shapes with smooth edges, laid over one another, many images at a time.

Each shape's coverage of a pixel is worked out from its distance to the shape's edge. What is small is drawn in a
window around it. Per pixel there are only operations that IEEE 754 rounds exactly (+ - * /, square root, minimum
and maximum): an image's bytes depend neither on the images drawn with it nor on the number of threads.
"""

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.drawn_faces.face import Faces
from fer_perturb.data.drawn_faces.features import paint_eye, paint_glasses, paint_mouth, paint_nose
from fer_perturb.data.drawn_faces.geometry import window
from fer_perturb.data.drawn_faces.head import paint_head
from fer_perturb.data.drawn_faces.scene import Scene, expose, occlude, paint_background
from fer_perturb.data.drawn_faces.shapes import Floats, take

REGIONS = ("brows", "eyes", "nose", "mouth")


def render(faces: Faces, scene: Scene, noise: Floats, size: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Images (B, size, size) and regions (B, 4, size, size) of a batch of faces, in the order of REGIONS."""
    faces, scene = take(faces, slice(None), 3), take(scene, slice(None), 3)
    n = len(faces)
    canvas = paint_background(scene, n, size)
    regions = np.zeros((len(REGIONS), n, size, size), np.bool_)
    flat, flat_regions = canvas.reshape(-1), regions.reshape(len(REGIONS), -1)

    paint_head(canvas, window(faces, 0.0, 0.0, 48, 48, size), faces)
    for side in faces.sides:
        part = window(faces, side.eye_u, side.eye_v - 4.0, 26, 18, size)
        patch = flat[part.index]
        brow_region, eye_region = paint_eye(patch, part, faces, side)
        flat[part.index] = patch
        flat_regions[0, part.index] |= brow_region
        flat_regions[1, part.index] |= eye_region
    for row, paint, part in (
        (2, paint_nose, window(faces, faces.nose_u, faces.nose_v - 4.2, 18, 15, size)),
        (3, paint_mouth, window(faces, faces.mouth_u, faces.mouth_v + 0.3, 22, 27, size)),
    ):
        patch = flat[part.index]
        flat_regions[row, part.index] = paint(patch, part, faces)
        flat[part.index] = patch
    wearing = np.flatnonzero(faces.glasses[:, 0, 0] > 0)
    if len(wearing):
        wearers, some = take(faces, wearing, 3), canvas[wearing]
        paint_glasses(some, window(wearers, 0.0, 0.0, 48, 48, size), wearers)
        canvas[wearing] = some
    occlude(canvas, scene, size)
    return expose(canvas, scene, noise, size), regions.transpose(1, 0, 2, 3)
