"""A drawn face as numbers: its frame, both its sides, and all that tells one face from another."""

from dataclasses import dataclass

from fer_perturb.data.drawn_faces.shapes import Floats


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
