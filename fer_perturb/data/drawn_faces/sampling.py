"""Faces with a given expression, all else drawn at random."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.drawn_faces.face import Faces, Frame, Side
from fer_perturb.data.drawn_faces.identity import Doubles, Draws, Identity, Pose, sample_identity, sample_pose

Moves = Mapping[str, Doubles]  # what the expression does, (n,) by name (action_units.moves)
Record = TypeVar("Record", Frame, Side)

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


def sample_faces(n: int, move: Moves, rng: np.random.Generator) -> Faces:
    """`n` faces whose expressions are `move` ((n,) by name, see `moves`), all else drawn at random.

    The same numbers come from `rng` in the same order whatever the expressions.
    """
    draws = Draws(n, rng)
    pose, identity = sample_pose(draws), sample_identity(draws)
    styles = np.array(list(HAIR_STYLES.values()))
    style = styles[rng.choice(len(styles), n, p=styles[:, -1] / styles[:, -1].sum())]
    parting = np.where(draws.happens(0.5), -1.0, 1.0)
    skin, hair = _tones(draws)
    frame = {
        "x0": pose.x0,
        "y0": pose.y0,
        "scale": pose.scale,
        "cos": np.cos(pose.roll),
        "sin": np.sin(pose.roll),
    }
    left, right = (_side(outward, pose, identity, move, draws) for outward in (-1.0, 1.0))
    rest = {
        **_head_and_nose(pose, identity, move, draws),
        **_mouth(pose, identity, move, draws),
        **_wrinkles(move, draws),
        **_look(pose, skin, hair, draws),
        **_hair(style, parting, draws),
        **_worn(style, draws),
    }
    return Faces(_single(Frame, frame), _single(Side, left), _single(Side, right), **_floats(rest))


def _floats(values: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    return {name: value.astype(np.float32) for name, value in values.items()}


def _single(of: type[Record], values: Mapping[str, NDArray[Any]]) -> Record:
    """Values in single precision."""
    return of(**_floats(values))


def _tones(draws: Draws) -> tuple[Doubles, Doubles]:
    """Skin and hair: dark hair is the most frequent; light hair goes with light skin."""
    skin = draws.uniform(115.0, 214.0)
    hair = np.where(draws.happens(0.7), draws.uniform(18.0, 70.0), draws.uniform(70.0, 190.0))
    return skin, np.minimum(hair, skin - 28.0)


def _side(outward: float, pose: Pose, identity: Identity, move: Moves, draws: Draws) -> dict[str, Doubles]:
    """One side's eye, brow and ear; the two sides differ a little."""
    lopsided = draws.normal(1.0, 0.08).clip(0.8, 1.2)
    distance, eye_v = identity.eye_distance, identity.eye_height + pose.nod
    width = identity.foreshortened(outward * distance, pose.yaw)
    pinch = move["brow_pinch"].clip(0.0, 1.7) * lopsided
    brow_v, brow_tilt = eye_v - identity.brow_gap, identity.brow_tilt
    upper = 1.75 * identity.eye_open + move["upper_lid"] * lopsided
    lower = 1.3 * identity.eye_open - move["lower_lid"] * lopsided
    return {
        "outward": np.full(draws.n, outward),
        "eye_u": identity.turned(outward * distance, pose.yaw),
        "eye_v": eye_v + draws.normal(0.0, 0.12),
        "eye_width": identity.eye_width * width,
        "tilt": identity.tilt,
        "upper_lid": np.maximum(upper, 0.3),
        "lower_lid": np.maximum(lower, 0.12),
        "brow_u": identity.turned(outward * (distance + 0.15 - 0.5 * pinch), pose.yaw),
        "brow_width": (0.63 * distance + 0.35 * pinch) * width,
        "brow_inner": (brow_v + brow_tilt - move["brow_inner"] * lopsided).clip(eye_v - 10.5, eye_v - 1.9),
        "brow_outer": (brow_v - 0.3 - brow_tilt - move["brow_outer"] * lopsided).clip(eye_v - 10.5, eye_v - 2.3),
        "brow_arch": identity.brow_arch + move["brow_arch"],
        "brow_thickness": identity.brow_thickness,
        "ear_u": outward * identity.head_width * (1.0 - outward * 0.25 * np.sin(pose.yaw)),
        "ear_width": 2.2 * (1.0 - outward * 1.6 * np.sin(pose.yaw)).clip(0.3, 1.5),
    }


def _mouth_shape(pose: Pose, identity: Identity, move: Moves) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """How far the lips are apart, v of the line between them, what they are thinned by, and the lower one's height."""
    apart = move["lips_apart"].clip(0.0, 7.5)
    line_v = identity.mouth_height - 0.8 * move["mouth_up"] + pose.nod
    thin = (1.0 + move["lip_thickness"]).clip(0.3, 1.2)
    return apart, line_v, thin, (1.55 * identity.lips + move["lower_lip"]) * thin


def _head_and_nose(pose: Pose, identity: Identity, move: Moves, draws: Draws) -> dict[str, Doubles]:
    apart, mouth_v, _, lower_lip = _mouth_shape(pose, identity, move)
    lowest = mouth_v + 0.78 * apart + lower_lip
    middle = np.zeros(draws.n)
    return {
        "head_width": identity.head_width,
        "head_top": identity.head_top,
        "head_bottom": np.maximum(identity.chin + move["jaw_drop"], lowest + 1.5),
        "taper": draws.around(0.2, 0.07),
        "turn_u": identity.turned(middle, pose.yaw),
        "nod_v": pose.nod,
        "ear_size": draws.around(3.7, 0.35),
        "nose_u": identity.turned(middle, pose.yaw, out=3.0),
        "nose_v": identity.eye_height + identity.nose_length - 0.5 * move["nose_up"] + 1.25 * pose.nod,
        "nose_top": identity.eye_height + pose.nod - 0.2,
        "nose_width": identity.nose_width * (1.0 + 0.12 * move["nose_wrinkle"]),
    }


def _mouth(pose: Pose, identity: Identity, move: Moves, draws: Draws) -> dict[str, Doubles]:
    apart, mouth_v, thin, lower_lip = _mouth_shape(pose, identity, move)
    return {
        "mouth_u": identity.turned(np.zeros(draws.n), pose.yaw, out=1.0),
        "mouth_v": mouth_v,
        "mouth_width": (identity.mouth_width + move["corner_out"]).clip(2.6, 9.0) * np.cos(pose.yaw),
        "corner_up": identity.corner_rest + move["corner_up"],
        "corner_skew": draws.around(0.0, 0.13),
        "open_up": 0.22 * apart + 0.75 * move["upper_lip_up"],
        "open_low": 0.78 * apart,
        "roundness": (0.15 + move["roundness"]).clip(0.0, 1.0),
        "upper_lip": 1.25 * identity.lips * thin,
        "lower_lip": lower_lip,
        "upper_teeth": move["upper_teeth"].clip(0.0, 1.0),
        "lower_teeth": move["lower_teeth"].clip(0.0, 1.0),
    }


def _wrinkles(move: Moves, draws: Draws) -> dict[str, Doubles]:
    """Those of the expression, and some that a face always has."""
    return {
        "furrow": move["furrow"] + draws.sometimes(0.1, 0.2, 0.6),
        "forehead_lines": move["forehead_lines"] + draws.sometimes(0.15, 0.2, 0.7),
        "nasolabial": move["nasolabial"] + draws.sometimes(0.3, 0.1, 0.6),
        "nose_wrinkle": move["nose_wrinkle"],
        "crows_feet": move["crows_feet"] + draws.sometimes(0.15, 0.2, 0.6),
        "cheek": move["cheek"],
        "chin_boss": move["chin_boss"],
    }


def _look(pose: Pose, skin: Doubles, hair: Doubles, draws: Draws) -> dict[str, Doubles]:
    return {
        "skin": skin,
        "hair": hair,
        "brow_tone": (0.75 * hair).clip(12.0, 0.5 * skin),
        "lip_tone": skin * draws.uniform(0.58, 0.78),
        "iris": draws.uniform(35.0, 110.0),
        "iris_size": draws.around(1.62, 0.1),
        "gaze_u": draws.around(0.0, 0.45) + 0.8 * np.sin(pose.yaw),
        "gaze_v": draws.around(0.0, 0.15),
    }


def _hair(style: Doubles, parting: Doubles, draws: Draws) -> dict[str, Doubles]:
    """style: (n, 8), rows of HAIR_STYLES. parting: on which side, -1 or 1."""
    return {
        "hair_top": style[:, 0] + draws.normal(0.0, 0.35),
        "hair_side": style[:, 1] + draws.normal(0.0, 0.2),
        "hair_length": style[:, 2] + draws.normal(0.0, 1.2),
        "hair_line": style[:, 3] + draws.normal(0.0, 0.6),
        "hair_curve": style[:, 4] + draws.normal(0.0, 0.8),
        "hair_slant": parting * style[:, 5],
        "hair_wave": style[:, 6],
        "hair_phase": draws.uniform(0.0, 1.0),
    }


def _worn(style: Doubles, draws: Draws) -> dict[str, Doubles]:
    """Clothes, the light that falls on them, glasses, and beards, which nobody with long hair has."""
    long_hair = style[:, 2] > 3.0
    return {
        "clothes": draws.uniform(20.0, 230.0),
        "side_light": draws.uniform(-1.0, 1.0),
        "blush": draws.uniform(0.0, 1.0),
        "age": draws.uniform(0.0, 1.0),
        "glasses": draws.sometimes(0.12, 0.5, 0.95),
        "glasses_size": draws.around(4.6, 0.3),
        "beard": np.where(long_hair, 0.0, draws.sometimes(0.2, 0.25, 0.9)),
        "moustache": np.where(long_hair, 0.0, draws.sometimes(0.12, 0.4, 0.9)),
    }
