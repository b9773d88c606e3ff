"""A face mask drawn on a picture by its landmarks: MaskFer's masks.

The mask reaches from the bridge of the nose along the jaw to the chin, in one of four styles, in tones that match the
picture's light, with smooth edges. All that chance decides follows from the identity of the image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

VERSION = 1  # raise it when the same image and landmarks would give another picture
STYLES = ("surgical", "cloth", "respirator", "dark")
FINE = 8  # shapes are drawn so many times as large, and averaged
FOLDS = (0.3, 0.5, 0.7)  # of a surgical mask, shares of the way from the bridge of the nose to the chin

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outline:
    """Where a mask lies, in pixels.

    edge: (n, 2), closed. middle: (6, 2) from the bridge of the nose to the chin. left, right: (8, 2) along both sides
    of the jaw, from the ear down to the chin. ears: (2, 2).
    """

    edge: Floats
    middle: Floats
    left: Floats
    right: Floats
    ears: Floats

    def across(self, share: float) -> Floats:
        """A line from side to side, (n, 2), at a share of the way from the bridge (0) to the chin (1); it sags."""
        down = self.middle[-1] - self.middle[0]
        at = along(self.middle, share)
        ends = []
        for side in (self.left, self.right):
            height = (side - at) @ down / (down @ down or 1.0)  # grows from the ear to the chin
            ends.append([np.interp(-0.05, height, side[:, axis]) for axis in (0, 1)])
        return curve(np.array([ends[0], at, ends[1]]))


def draw_mask(image: NDArray[np.uint8], landmarks: NDArray[np.floating], identity: bytes) -> NDArray[np.uint8]:
    """The picture with a mask.

    Args:
        image: (H, W) uint8.
        landmarks: (68, 2), x and y in pixels.
        identity: the sha256 of the image's pixels in hex, which decides style, tone and placement.

    Returns:
        (H, W) uint8; the same arguments give the same bytes.
    """
    random = np.random.default_rng(int(identity[:16], 16))
    style = STYLES[random.integers(len(STYLES))]
    outline = mask_outline(np.asarray(landmarks, dtype=np.float64), random)
    size = image.shape
    x, y = local_coordinates(outline, size)
    tone = TONES[style](outline, x, y, random, size)
    light = brightness(image, outline, x)
    straps = covered(size, [strap for side in (0, 1) for strap in straps_of(outline, side, style)], width=0.9)
    mask = covered(size, [outline.edge])
    canvas = image.astype(np.float64)
    canvas += straps * (0.9 * strap_tone(style) * light - canvas)
    grain = noise_of(image) * random.standard_normal(size)
    canvas += mask * (tone * light + grain - canvas)
    return np.rint(canvas).clip(0, 255).astype(np.uint8)


def mask_outline(points: Floats, random: np.random.Generator) -> Outline:
    """The outline of a mask on a face with these landmarks, a little off, as people wear them."""
    eyes = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    apart = float(np.linalg.norm(eyes[1] - eyes[0])) or 1.0
    points = points + random.normal(0, 0.03 * apart, 2)
    high = random.uniform(0.15, 0.6)  # of the way from point 28 down the bridge of the nose to point 29
    bridge = (1 - high) * points[28] + high * points[29]
    jaw = points[1:16]
    centre = points[[30, 33, 51, 8]].mean(axis=0)
    jaw = centre + (jaw - centre) * random.uniform(1.0, 1.05)  # cloth stands out over the skin
    cheeks = [
        0.5 * points[[40, 41]].mean(axis=0) + 0.5 * points[31] + 0.12 * (points[31] - points[27]),
        0.5 * points[[46, 47]].mean(axis=0) + 0.5 * points[35] + 0.12 * (points[35] - points[27]),
    ]
    top = curve(np.array([jaw[0], cheeks[0], bridge, cheeks[1], jaw[-1]]))
    edge = np.concatenate([top, curve(jaw[::-1])])
    middle = np.array([bridge, points[30], points[33], points[51], points[57], jaw[7]])
    return Outline(edge, middle, jaw[:8], jaw[:6:-1], np.array([points[0], points[16]]))


def curve(points: Floats, steps: int = 8) -> Floats:
    """A smooth line (Catmull and Rom 1974) through points (k, 2): ((k - 1) * steps + 1, 2)."""
    padded = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.concatenate([*pieces, points[-1:]])


def along(line: Floats, share: float) -> Floats:
    """The point (2,) at a share of the length of a line (k, 2)."""
    lengths = np.concatenate([[0.0], np.linalg.norm(np.diff(line, axis=0), axis=1).cumsum()])
    at = share * lengths[-1]
    return np.array([np.interp(at, lengths, line[:, 0]), np.interp(at, lengths, line[:, 1])])


def covered(size: tuple[int, ...], lines: list[Floats], width: float | None = None) -> Floats:
    """Share of each pixel, (H, W) in [0, 1], within closed lines (n, 2), or under open ones `width` pixels wide."""
    height, across = size
    fine = Image.new("L", (across * FINE, height * FINE))
    draw = ImageDraw.Draw(fine)
    for line in lines:
        corners = [(float(x), float(y)) for x, y in (line + 0.5) * FINE - 0.5]
        if width is None:
            draw.polygon(corners, fill=255)
        else:
            draw.line(corners, fill=255, width=max(1, round(width * FINE)), joint="curve")
    return np.asarray(fine.reduce(FINE), dtype=np.float64) / 255


def local_coordinates(outline: Outline, size: tuple[int, ...]) -> tuple[Floats, Floats]:
    """x, -1 at the left jaw to 1 at the right, and y, 0 at the bridge of the nose to 1 at the chin: both (H, W)."""
    top, chin = outline.middle[0], outline.middle[-1]
    down = chin - top
    length = float(np.linalg.norm(down)) or 1.0
    down = down / length
    right = np.array([down[1], -down[0]])
    rows, columns = np.mgrid[: size[0], : size[1]]
    dx, dy = columns - top[0], rows - top[1]
    half = 0.5 * float(np.linalg.norm(outline.right[0] - outline.left[0])) or 1.0
    return (dx * right[0] + dy * right[1]) / half, (dx * down[0] + dy * down[1]) / length


def surgical(outline: Outline, x: Floats, y: Floats, random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """Light, with level folds and a wire over the nose."""
    tone = random.uniform(170, 225) * rounding(x, 0.22)
    folds = covered(size, [outline.across(share) for share in FOLDS], width=0.7)
    ridges = covered(size, [outline.across(share - 0.06) for share in FOLDS], width=0.7)
    tone = tone * (1 - 0.28 * folds) + 14 * ridges
    return tone * (1 - 0.15 * covered(size, [outline.across(0.04)], width=0.8))


def cloth(outline: Outline, x: Floats, y: Floats, random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """Any tone, plain, striped or dotted."""
    tone, contrast = random.uniform(60, 200), random.uniform(15, 45) * random.choice((-1, 1))
    pattern = random.integers(3)
    if pattern == 1:
        turn, period = random.uniform(0, np.pi), random.uniform(0.25, 0.5)
        tone = tone + contrast * np.sin(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / period)
    elif pattern == 2:
        period = random.uniform(0.3, 0.5)
        tone = tone + contrast * np.cos(2 * np.pi * x / period) * np.cos(2 * np.pi * y / period)
    wrinkles = covered(size, [outline.across(random.uniform(0.55, 0.9))], width=0.6)
    return tone * rounding(x, 0.25) * (1 - 0.12 * wrinkles)


def respirator(outline: Outline, x: Floats, y: Floats, random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """Light and stiff: two halves that meet in a seam, and an embossed rim."""
    tone = random.uniform(190, 240) * (1 - 0.3 * np.abs(x).clip(0, 1.2))
    seam = covered(size, [curve(outline.middle)], width=0.8)
    rim = covered(size, [outline.edge], width=0.8)
    shaded: Floats = (tone + 12 * seam) * (1 - 0.18 * rim)
    return shaded


def dark(outline: Outline, x: Floats, y: Floats, random: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """Dark, with a sheen over the nose."""
    tone = random.uniform(25, 60) * rounding(x, 0.3)
    shaded: Floats = tone + 22 * np.exp(-((x / 0.35) ** 2) - ((y - 0.35) / 0.3) ** 2)
    return shaded


TONES = {"surgical": surgical, "cloth": cloth, "respirator": respirator, "dark": dark}


def rounding(x: Floats, depth: float) -> Floats:
    """How the tone falls towards the sides."""
    return 1 - depth * np.minimum(x * x, 1.4)


def straps_of(outline: Outline, side: int, style: str) -> list[Floats]:
    """The lines to the ear on one side (0 = left)."""
    jaw, ear = (outline.left, outline.right)[side], outline.ears[side]
    low = ear + 0.35 * (jaw[1] - jaw[0]) + 0.1 * (ear - outline.middle[0])
    if style == "respirator":  # around the head
        far = ear + 0.6 * (ear - jaw[0]) + 0.15 * (ear - outline.middle[0])
        return [np.array([jaw[0], far]), np.array([along(jaw, 0.45), low])]
    return [np.array([jaw[0], ear]), np.array([along(jaw, 0.4), low])]


def strap_tone(style: str) -> float:
    return {"surgical": 215.0, "cloth": 150.0, "respirator": 220.0, "dark": 45.0}[style]


def brightness(image: NDArray[np.uint8], outline: Outline, x: Floats) -> Floats:
    """By how much the picture's light changes a tone, (H, W): its level, and its fall from side to side."""
    means = []
    for side in (outline.left, outline.right):
        corners = np.array([side[1], side[3], outline.middle[2], outline.middle[1]])
        where = covered(image.shape, [corners])
        means.append(float((where * image).sum() / where.sum()) if where.sum() > 1 else float(image.mean()))
    level = float(np.clip((sum(means) / 2 / 130) ** 0.6, 0.5, 1.15))
    slope = float(np.clip((means[1] - means[0]) / max(sum(means), 1.0), -0.3, 0.3))
    lit: Floats = level * (1 + slope * x.clip(-1.2, 1.2))
    return lit


def noise_of(image: NDArray[np.uint8]) -> float:
    """Deviation of the picture's grain, in grey values, at most 2.5: by the median of differences of neighbours."""
    rows = image.astype(np.float64)
    return float(min(np.median(np.abs(np.diff(rows, axis=1))) / 3, 2.5))
