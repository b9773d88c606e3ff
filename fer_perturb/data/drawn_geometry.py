"""Where everything of a drawn face lies: identity, expression and pose, and the landmarks that follow.

The head's frame: u to the image's right, v down, origin at the head's middle, in head units (action_units.py).
`Frame` places it on the image. Each feature is described by curves, which both the drawing and the landmarks
are taken from.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.drawn_shapes import Floats, take

# Hair styles: how far hair stands off the skull at the top and the sides, how far down it hangs behind the head
# (v), the hairline below the skull's top in the middle and how much lower it is at the sides, its slant (a side
# parting), and the waves of its outline. Lengths in head units; last, how often the style is drawn.
HAIR_STYLES: dict[str, tuple[float, ...]] = {
    #            top  side  length  line  curve  slant  wave  share
    "bald": (-1.5, -1.0, -8.0, 1.0, 1.0, 0.0, 0.0, 0.06),
    "receding": (0.6, 0.5, -3.0, 3.2, 9.0, 0.0, 0.2, 0.08),
    "cropped": (1.0, 0.6, -2.0, 6.0, 7.5, 0.0, 0.5, 0.20),
    "parted": (2.4, 1.0, 0.0, 5.2, 6.5, 3.2, 0.3, 0.17),
    "quiff": (4.0, 0.4, -1.0, 4.6, 8.0, 1.5, 0.8, 0.10),
    "fringe": (2.2, 2.0, 6.0, 8.3, 5.0, 0.6, 0.6, 0.10),
    "bob": (2.4, 3.0, 12.0, 6.0, 13.0, 2.4, 0.3, 0.11),
    "long": (2.0, 3.2, 26.0, 5.2, 15.0, 0.8, 0.5, 0.12),
    "afro": (5.0, 4.6, 2.0, 5.0, 8.0, 0.0, 1.3, 0.06),
}


@dataclass(frozen=True)
class Frame:
    """From the head's frame to pixels of a 48-pixel frame: x = x0 + scale * (cos * u - sin * v), y alike."""

    x0: Floats
    y0: Floats
    scale: Floats
    cos: Floats
    sin: Floats


@dataclass(frozen=True)
class Side:
    """One side's eye and brow. `outward` is -1 on the image's left, +1 on its right.

    A feature's own x runs outwards from its middle, in half-widths: -1 at the inner end, +1 at the outer.
    """

    outward: Floats
    eye_u: Floats
    eye_v: Floats
    eye_width: Floats  # half of it
    tilt: Floats  # how much higher the outer corner is than the middle
    upper_lid: Floats  # above the corners, in the middle
    lower_lid: Floats  # below the corners, in the middle
    brow_u: Floats
    brow_width: Floats  # half of it
    brow_inner: Floats  # v of the inner end
    brow_outer: Floats  # v of the outer end
    brow_arch: Floats
    brow_thickness: Floats  # half of it, at the inner end
    ear_u: Floats
    ear_width: Floats


@dataclass(frozen=True)
class Faces:
    """A batch of faces: each array has one row per face. Tones are grey values, 0 to 255, before the light."""

    frame: Frame
    left: Side
    right: Side
    # head
    head_width: Floats  # half of it, at the eyes
    head_top: Floats  # height above the origin
    head_bottom: Floats  # the chin's depth below the origin, with the jaw's drop
    taper: Floats  # share by which the chin is narrower
    turn_u: Floats  # how far the turned head moves what lies in the middle of the face
    nod_v: Floats
    ear_size: Floats
    # nose
    nose_u: Floats  # the tip, which sticks out and so moves most
    nose_v: Floats  # the base
    nose_top: Floats  # v of the bridge's upper end
    nose_width: Floats  # half of it
    # mouth; its x runs from -1 (image's left) to 1
    mouth_u: Floats
    mouth_v: Floats
    mouth_width: Floats  # half of it
    corner_up: Floats
    corner_skew: Floats
    open_up: Floats
    open_low: Floats
    roundness: Floats
    upper_lip: Floats
    lower_lip: Floats
    upper_teeth: Floats  # share of the row that shows in the open mouth
    lower_teeth: Floats
    # wrinkles, 0 = not there
    furrow: Floats
    forehead_lines: Floats
    nasolabial: Floats
    nose_wrinkle: Floats
    crows_feet: Floats
    cheek: Floats
    chin_boss: Floats
    # look
    skin: Floats
    hair: Floats
    brow_tone: Floats
    lip_tone: Floats
    iris: Floats
    iris_size: Floats
    gaze_u: Floats
    gaze_v: Floats
    hair_top: Floats
    hair_side: Floats
    hair_length: Floats
    hair_line: Floats
    hair_curve: Floats
    hair_slant: Floats
    hair_wave: Floats
    hair_phase: Floats
    clothes: Floats
    side_light: Floats  # -1 from the image's left to 1 from its right
    blush: Floats
    age: Floats
    glasses: Floats  # 0 none, else the frame's darkness
    glasses_size: Floats
    beard: Floats  # 0 none, else its density
    moustache: Floats

    def __len__(self) -> int:
        return len(self.skin)

    @property
    def sides(self) -> tuple[Side, Side]:
        """Image left, image right."""
        return self.left, self.right


def sample_faces(n: int, move: dict[str, NDArray[np.float64]], rng: np.random.Generator) -> Faces:
    """`n` faces whose expressions are `move` ((n,) by name, see `moves`), all else drawn at random."""

    def around(middle: float, deviation: float, reach: float = 2.0) -> NDArray[np.float64]:
        return middle + deviation * rng.normal(size=n).clip(-reach, reach)

    def sometimes(share: float, low: float, high: float) -> NDArray[np.float64]:
        return np.where(rng.random(n) < share, rng.uniform(low, high, n), 0.0)

    # pose
    roll, yaw, pitch = around(0.0, 0.09), around(0.0, 0.13), around(0.0, 0.07)
    scale = around(1.06, 0.05)
    frame = {
        "x0": around(23.5, 1.1) - 1.5 * np.sin(yaw),
        "y0": around(24.3, 1.0),
        "scale": scale,
        "cos": np.cos(roll),
        "sin": np.sin(roll),
    }

    # identity
    head_width, head_top = around(14.6, 0.8), around(17.4, 0.8)
    chin = around(17.2, 0.9)
    eye_distance, eye_height = around(6.5, 0.4), around(-2.6, 0.5)
    eye_width, eye_open = around(3.45, 0.3), around(1.0, 0.14)
    brow_gap, brow_tilt, brow_arch = around(4.7, 0.55), around(0.0, 0.45), around(0.9, 0.35)
    brow_thickness = around(0.95, 0.22)
    tilt = around(0.25, 0.3)
    nose_length, nose_width = around(7.2, 0.7), around(2.7, 0.35)
    mouth_height, mouth_width = around(10.3, 0.5), around(5.4, 0.5)
    lips = around(1.0, 0.22)
    corner_rest = around(0.0, 0.5)
    radius = head_width * 1.12

    def turned(u: NDArray[np.float64], out: float = 0.0) -> NDArray[np.float64]:
        """Where a turned head shows what lies at `u` on its cylinder, `out` head units in front of it."""
        return u * np.cos(yaw) + (np.sqrt(radius**2 - u**2) + out) * np.sin(yaw)

    def foreshortened(u: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.cos(yaw) - u / np.sqrt(radius**2 - u**2) * np.sin(yaw)

    nod_v = 12.0 * np.sin(pitch)
    eye_v = eye_height + nod_v

    def side(outward: float) -> dict[str, NDArray[np.float64]]:
        lopsided = rng.normal(1.0, 0.08, n).clip(0.8, 1.2)
        width = foreshortened(outward * eye_distance)
        pinch = move["brow_pinch"].clip(0.0, 1.7) * lopsided
        brow_v = eye_v - brow_gap
        upper = 1.75 * eye_open + move["upper_lid"] * lopsided
        lower = 1.3 * eye_open - move["lower_lid"] * lopsided
        return {
            "outward": np.full(n, outward),
            "eye_u": turned(outward * eye_distance),
            "eye_v": eye_v + rng.normal(0.0, 0.12, n),
            "eye_width": eye_width * width,
            "tilt": tilt,
            "upper_lid": np.maximum(upper, 0.3),
            "lower_lid": np.maximum(lower, 0.12),
            "brow_u": turned(outward * (eye_distance + 0.15 - 0.5 * pinch)),
            "brow_width": (0.63 * eye_distance + 0.35 * pinch) * width,
            "brow_inner": (brow_v + brow_tilt - move["brow_inner"] * lopsided).clip(eye_v - 10.5, eye_v - 1.9),
            "brow_outer": (brow_v - 0.3 - brow_tilt - move["brow_outer"] * lopsided).clip(eye_v - 10.5, eye_v - 2.3),
            "brow_arch": brow_arch + move["brow_arch"],
            "brow_thickness": brow_thickness,
            "ear_u": outward * head_width * (1.0 - outward * 0.25 * np.sin(yaw)),
            "ear_width": 2.2 * (1.0 - outward * 1.6 * np.sin(yaw)).clip(0.3, 1.5),
        }

    apart = move["lips_apart"].clip(0.0, 7.5)
    mouth_v = mouth_height - 0.8 * move["mouth_up"] + nod_v
    thin = (1.0 + move["lip_thickness"]).clip(0.3, 1.2)
    lower_lip = (1.55 * lips + move["lower_lip"]) * thin
    lowest = mouth_v + 0.78 * apart + lower_lip
    styles = np.array(list(HAIR_STYLES.values()))
    style = styles[rng.choice(len(styles), n, p=styles[:, -1] / styles[:, -1].sum())]
    part = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    skin = rng.uniform(115.0, 214.0, n)
    # dark hair is the most frequent; light hair goes with light skin
    hair = np.where(rng.random(n) < 0.7, rng.uniform(18.0, 70.0, n), rng.uniform(70.0, 190.0, n))
    hair = np.minimum(hair, skin - 28.0)
    long_hair = style[:, 2] > 3.0
    return Faces(
        frame=Frame(**{name: value.astype(np.float32) for name, value in frame.items()}),
        left=Side(**{name: value.astype(np.float32) for name, value in side(-1.0).items()}),
        right=Side(**{name: value.astype(np.float32) for name, value in side(1.0).items()}),
        **{
            name: value.astype(np.float32)
            for name, value in {
                "head_width": head_width,
                "head_top": head_top,
                "head_bottom": np.maximum(chin + move["jaw_drop"], lowest + 1.5),
                "taper": around(0.2, 0.07),
                "turn_u": turned(np.zeros(n)),
                "nod_v": nod_v,
                "ear_size": around(3.7, 0.35),
                "nose_u": turned(np.zeros(n), out=3.0),
                "nose_v": eye_height + nose_length - 0.5 * move["nose_up"] + 1.25 * nod_v,
                "nose_top": eye_v - 0.2,
                "nose_width": nose_width * (1.0 + 0.12 * move["nose_wrinkle"]),
                "mouth_u": turned(np.zeros(n), out=1.0),
                "mouth_v": mouth_v,
                "mouth_width": (mouth_width + move["corner_out"]).clip(2.6, 9.0) * np.cos(yaw),
                "corner_up": corner_rest + move["corner_up"],
                "corner_skew": around(0.0, 0.13),
                "open_up": 0.22 * apart + 0.75 * move["upper_lip_up"],
                "open_low": 0.78 * apart,
                "roundness": (0.15 + move["roundness"]).clip(0.0, 1.0),
                "upper_lip": 1.25 * lips * thin,
                "lower_lip": lower_lip,
                "upper_teeth": move["upper_teeth"].clip(0.0, 1.0),
                "lower_teeth": move["lower_teeth"].clip(0.0, 1.0),
                "furrow": move["furrow"] + sometimes(0.1, 0.2, 0.6),
                "forehead_lines": move["forehead_lines"] + sometimes(0.15, 0.2, 0.7),
                "nasolabial": move["nasolabial"] + sometimes(0.3, 0.1, 0.6),
                "nose_wrinkle": move["nose_wrinkle"],
                "crows_feet": move["crows_feet"] + sometimes(0.15, 0.2, 0.6),
                "cheek": move["cheek"],
                "chin_boss": move["chin_boss"],
                "skin": skin,
                "hair": hair,
                "brow_tone": (0.75 * hair).clip(12.0, 0.5 * skin),
                "lip_tone": skin * rng.uniform(0.58, 0.78, n),
                "iris": rng.uniform(35.0, 110.0, n),
                "iris_size": around(1.62, 0.1),
                "gaze_u": around(0.0, 0.45) + 0.8 * np.sin(yaw),
                "gaze_v": around(0.0, 0.15),
                "hair_top": style[:, 0] + rng.normal(0.0, 0.35, n),
                "hair_side": style[:, 1] + rng.normal(0.0, 0.2, n),
                "hair_length": style[:, 2] + rng.normal(0.0, 1.2, n),
                "hair_line": style[:, 3] + rng.normal(0.0, 0.6, n),
                "hair_curve": style[:, 4] + rng.normal(0.0, 0.8, n),
                "hair_slant": part * style[:, 5],
                "hair_wave": style[:, 6],
                "hair_phase": rng.uniform(0.0, 1.0, n),
                "clothes": rng.uniform(20.0, 230.0, n),
                "side_light": rng.uniform(-1.0, 1.0, n),
                "blush": rng.uniform(0.0, 1.0, n),
                "age": rng.uniform(0.0, 1.0, n),
                "glasses": sometimes(0.12, 0.5, 0.95),
                "glasses_size": around(4.6, 0.3),
                "beard": np.where(long_hair, 0.0, sometimes(0.2, 0.25, 0.9)),
                "moustache": np.where(long_hair, 0.0, sometimes(0.12, 0.4, 0.9)),
            }.items()
        },
    )


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
