"""Where everything of a drawn face lies: the curves of its features, and the landmarks that follow.

The head's frame: u to the image's right, v down, origin at the head's middle, in head units (action_units.py).
`Frame` places it on the image, and a `Window` looks back from pixels into it. Both the drawing and the landmarks are
taken from these curves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.drawn_faces.face import Faces, Frame, Side
from fer_perturb.data.drawn_faces.shapes import Floats, take


def brow(side: Side, x: Floats) -> tuple[Floats, Floats]:
    """v of the brow's upper and lower edge at `x` in [-1, 1] along it."""
    middle = 0.5 * (side.brow_inner + side.brow_outer) + 0.5 * (side.brow_outer - side.brow_inner) * x
    middle = middle - side.brow_arch * (1.0 - x * x)
    half = side.brow_thickness * (0.78 - 0.32 * x)
    return middle - half, middle + half


def lids(side: Side, x: Floats) -> tuple[Floats, Floats]:
    """v of the upper and the lower lid's edge at `x` in [-1, 1] along the eye; they meet at its corners."""
    corner = side.eye_v - side.tilt * x
    profile = np.maximum(1.0 - x * x, 0.0)
    profile = 0.6 * profile + 0.4 * np.sqrt(profile)
    return corner - side.upper_lid * profile, corner + side.lower_lid * profile


def lips(faces: Faces, x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """v of the upper lip's upper and lower edge and of the lower lip's upper and lower edge at `x` in [-1, 1]."""
    profile = np.maximum(1.0 - x * x, 0.0)
    root = np.sqrt(profile)
    rounded = profile + faces.roundness * (root - profile)
    line = faces.mouth_v - faces.corner_up * (x * x - 0.3) - faces.corner_skew * x
    upper, lower = line - faces.open_up * rounded, line + faces.open_low * rounded
    bow = 1.0 - 0.28 * np.maximum(1.0 - 4.0 * np.abs(x), 0.0)  # the dip of Cupid's bow
    thick = 0.5 * (profile + root)
    return upper - faces.upper_lip * thick * bow, upper, lower, lower + faces.lower_lip * thick


def head_outline(faces: Faces, angle: Floats) -> tuple[Floats, Floats]:
    """(u, v) of the head's outline; `angle` 0 at the image's right, pi / 2 at the chin, pi at its left."""
    down = np.sin(angle)
    height = np.where(down > 0.0, faces.head_bottom, faces.head_top)
    width = faces.head_width * (1.0 - faces.taper * np.maximum(down, 0.0) ** 2)
    return width * np.cos(angle), height * down


def to_pixels(frame: Frame, u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """(x, y) in pixels of a 48-pixel frame, where a whole number is a pixel's middle."""
    return (
        frame.x0 + frame.scale * (frame.cos * u - frame.sin * v),
        frame.y0 + frame.scale * (frame.sin * u + frame.cos * v),
    )


@dataclass
class Window:
    """The same-sized part of each image around a point of its head's frame.

    index: (B, h, w) into the flattened canvas. u, v: (B, h, w) the pixels' middles in the head's frame.
    half: (B, 1, 1) half a pixel in head units.
    """

    index: NDArray[np.intp]
    u: Floats
    v: Floats
    half: Floats


def window(faces: Faces, u: Floats | float, v: Floats | float, height: float, width: float, size: int) -> Window:
    """The window around (u, v), height and width in pixels of a 48-pixel frame; it lies within the image."""
    frame, zoom = faces.frame, size / 48
    rows, columns = min(round(height * zoom), size), min(round(width * zoom), size)
    x = (frame.x0 + frame.scale * (frame.cos * u - frame.sin * v) + 0.5) * zoom - 0.5 * columns
    y = (frame.y0 + frame.scale * (frame.sin * u + frame.cos * v) + 0.5) * zoom - 0.5 * rows
    left = np.rint(x).clip(0, size - columns).astype(np.intp)
    top = np.rint(y).clip(0, size - rows).astype(np.intp)
    xs, ys = left + np.arange(columns), top + np.arange(rows)[:, None]  # (B, 1, w), (B, h, 1)
    image = np.arange(len(left))[:, None, None] * (size * size)
    dx = ((xs + 0.5) / zoom - 0.5).astype(np.float32) - frame.x0
    dy = ((ys + 0.5) / zoom - 0.5).astype(np.float32) - frame.y0
    cos, sin = frame.cos / frame.scale, frame.sin / frame.scale
    half = (np.float32(0.5 / zoom) / frame.scale).astype(np.float32)
    return Window(image + ys * size + xs, cos * dx + sin * dy, cos * dy - sin * dx, half)


def landmarks(faces: Faces) -> Floats:
    """(N, 68, 2) float32 x, y in pixels of a 48-pixel frame, in the order of iBUG's 68 points.

    They lie on the curves that are drawn, also where hair, glasses or an occluder hide them; those of a turned
    or shifted head can lie outside the frame.
    """
    n = len(faces)
    faces = take(faces, slice(None), 2)
    u, v = np.empty((n, 68), np.float32), np.empty((n, 68), np.float32)

    def at(*values: float) -> Floats:
        return np.array([values], np.float32)

    u[:, :17], v[:, :17] = head_outline(faces, np.linspace(np.pi * 1.06, -np.pi * 0.06, 17, dtype=np.float32)[None])
    outwards = at(-1.0, -0.5, 0.0, 0.5, 1.0)
    for side, points, order in ((faces.left, slice(17, 22), -1), (faces.right, slice(22, 27), 1)):
        x = outwards[:, ::order]
        upper, lower = brow(side, x)
        u[:, points] = side.brow_u + side.outward * side.brow_width * x
        v[:, points] = 0.5 * (upper + lower)
    # the bridge runs from between the eyes to the tip, the base from wing to wing
    down = at(0.0, 1 / 3, 2 / 3, 1.0)
    u[:, 27:31] = faces.turn_u + (faces.nose_u - faces.turn_u) * down
    v[:, 27:31] = faces.nose_top + (faces.nose_v - 1.2 - faces.nose_top) * down
    u[:, 31:36] = faces.nose_u + faces.nose_width * at(-1.0, -0.5, 0.0, 0.5, 1.0)
    v[:, 31:36] = faces.nose_v + at(0.0, 0.35, 0.5, 0.35, 0.0)
    # the image's left eye starts at its outer corner, the right one at its inner; both go over the top
    for side, first, start in ((faces.left, 36, 1.0), (faces.right, 42, -1.0)):
        x = start * at(1.0, 0.4, -0.4, -1.0, -0.4, 0.4)
        upper, lower = lids(side, x)
        u[:, first : first + 6] = side.eye_u + side.outward * side.eye_width * x
        v[:, first : first + 6] = np.where(np.arange(6) < 3, upper, lower)
    outer = at(-1.0, -0.62, -0.25, 0.0, 0.25, 0.62, 1.0, 0.62, 0.25, 0.0, -0.25, -0.62)
    inner = at(-0.86, -0.35, 0.0, 0.35, 0.86, 0.35, 0.0, -0.35)
    upper_outer, _, _, lower_outer = lips(faces, outer)
    _, upper_inner, lower_inner, _ = lips(faces, inner)
    u[:, 48:60] = faces.mouth_u + faces.mouth_width * outer
    v[:, 48:60] = np.where(np.arange(12) < 7, upper_outer, lower_outer)
    u[:, 60:68] = faces.mouth_u + faces.mouth_width * inner
    v[:, 60:68] = np.where(np.arange(8) < 5, upper_inner, lower_inner)
    return np.stack(to_pixels(faces.frame, u, v), axis=-1)
