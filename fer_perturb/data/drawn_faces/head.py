"""The head: hair, neck and shoulders, ears, the skull with its shading, wrinkles and beard."""

from dataclasses import dataclass

import numpy as np

from fer_perturb.data.drawn_faces.face import Faces
from fer_perturb.data.drawn_faces.geometry import Window
from fer_perturb.data.drawn_faces.shapes import Floats, blend, bump, inside, line, zigzag


@dataclass
class _Hair:
    """outline: share of each pixel within it. texture: change of tone by the strands. tone: of what lies in front."""

    outline: Floats
    texture: Floats
    tone: Floats


def paint_head(canvas: Floats, part: Window, faces: Faces) -> None:
    """Lays the head over the background, from the hair behind it to the hair in front."""
    away = part.u - 0.4 * faces.turn_u  # the hair turns with the head
    hair = _hair(part, faces, away)
    blend(canvas, hair.outline, hair.tone * 0.8)
    _paint_body(canvas, part, faces)
    edge, head = _paint_skull(canvas, part, faces, away)
    _paint_wrinkles(canvas, part, faces, within=inside(edge + 0.7, part.half))
    _paint_beard(canvas, part, faces, head, hair)
    _paint_front_hair(canvas, part, faces, hair)


def _hair(part: Window, faces: Faces, away: Floats) -> _Hair:
    """Hair around the skull; below the middle it hangs straight."""
    v, down = part.v, part.v > 0.0
    strands = zigzag(away * 0.11 + faces.hair_phase + 0.012 * v)
    stand = faces.head_width + faces.hair_side + 0.5 * faces.hair_wave * strands
    rise = np.where(down, faces.hair_length, faces.head_top + faces.hair_top + 0.5 * faces.hair_wave * strands)
    x, y = away / stand, np.maximum(v, -40.0) / np.maximum(rise, 1.0)
    far = np.sqrt(x * x + y * y)
    over = np.where(down, np.maximum(np.abs(away) - stand, v - faces.hair_length), (far - 1.0) * stand)
    outline = inside(over, part.half)
    fan = away / (np.maximum(v, -18.0) + 34.0)  # strands fan out from above the crown
    texture = 0.09 * zigzag(fan * 7.0 + faces.hair_phase) + 0.06 * zigzag(fan * 17.0 + 0.02 * v)
    tone = faces.hair * (1.0 + texture) + 9.0 * (texture + 0.12 * faces.side_light * x)
    return _Hair(outline, texture, tone)


def _paint_body(canvas: Floats, part: Window, faces: Faces) -> None:
    """Shoulders, neck and ears."""
    u, v, half, skin = part.u, part.v, part.half, faces.skin
    shoulder = inside((np.sqrt((u / 21.0) ** 2 + ((v - 31.5) / 11.5) ** 2) - 1.0) * 11.5, half)
    blend(canvas, shoulder, faces.clothes * (1.0 + 0.06 * zigzag(u * 0.15 + faces.hair_phase)))
    neck = inside(np.maximum(np.abs(u) - 6.6 - 0.03 * np.maximum(v - 16.0, 0.0) ** 2, v - 23.5), half)
    blend(canvas, neck * (v > 6.0), skin * (0.62 + 0.02 * np.maximum(v - 17.0, 0.0)))
    for side in faces.sides:
        x, y = (u - side.ear_u) / side.ear_width, (v + 0.4) / faces.ear_size
        far = np.sqrt(x * x + y * y)
        ear = inside((far - 1.0) * side.ear_width, half)
        blend(canvas, ear, skin * (0.92 - 0.3 * bump(far * far * 1.6)))


def _paint_skull(canvas: Floats, part: Window, faces: Faces, away: Floats) -> tuple[Floats, Floats]:
    """The head, rounded by its shading, with a fine contour; its distance to the edge and its coverage."""
    u, v, half, skin = part.u, part.v, part.half, faces.skin
    drop = np.maximum(v, 0.0) / faces.head_bottom
    x = u / (faces.head_width * (1.0 - faces.taper * drop * drop))
    y = np.where(v > 0.0, drop, v / faces.head_top)
    squared = x * x + y * y
    edge = (np.sqrt(squared) - 1.0) * faces.head_width
    head = inside(edge, half)
    cheeks = bump((away / faces.head_width) ** 2 * 1.3 + ((v - 1.0) / 14.0) ** 2)
    tone = skin * (0.9 + 0.16 * cheeks - 0.1 * squared * squared)
    tone += skin * (0.13 * faces.side_light * x - 0.22 * (edge + 1.0).clip(0.0, 1.0))
    blend(canvas, head, tone)
    return edge, head


def _paint_wrinkles(canvas: Floats, part: Window, faces: Faces, within: Floats) -> None:
    """Wrinkles of the forehead, and blushing cheeks, `within` the head."""
    u, v, half, skin = part.u, part.v, part.half, faces.skin
    brow_v = 0.5 * (faces.left.brow_inner + faces.right.brow_inner)
    for rank, gap in enumerate((2.6, 4.7)):
        crease = line(v, half, brow_v - gap + (0.02 - 0.008 * rank) * (u - faces.turn_u) ** 2, 0.55)
        strength = (faces.forehead_lines * (0.34 - 0.08 * rank)).clip(0.0, 0.45)
        blend(canvas, crease * within * (np.abs(u - faces.turn_u) < 7.0) * strength, skin * 0.45)
    for side in faces.sides:
        x = (u - faces.turn_u * 0.9 - side.outward * 7.8) / 4.6
        y = (v - 3.9 - faces.nod_v + 0.8 * faces.cheek) / 3.4
        glow = bump(x * x + y * y)
        canvas += glow * (within * (0.05 * skin * (faces.cheek.clip(0.0, 1.2) * 1.6 - faces.blush)))


def _paint_beard(canvas: Floats, part: Window, faces: Faces, head: Floats, hair: _Hair) -> None:
    """It leaves the cheeks free and rises along the jaw to the ears."""
    aside = np.abs(part.u - 0.6 * faces.turn_u) / faces.head_width
    upper = faces.mouth_v + 0.6 - 26.0 * np.maximum(aside - 0.5, 0.0)
    density = faces.beard * 0.85 * head * ((part.v - upper) * 0.6).clip(0.0, 1.0)
    blend(canvas, density, faces.hair * (0.95 + hair.texture) + 6.0)


def _paint_front_hair(canvas: Floats, part: Window, faces: Faces, hair: _Hair) -> None:
    """What of the hair's outline lies above the hairline, with a sheen where the light falls on it."""
    v = part.v
    x = (part.u - 0.7 * faces.turn_u) / faces.head_width
    hairline = faces.hair_line - faces.head_top + 0.6 * faces.nod_v + faces.hair_curve * x * x + faces.hair_slant * x
    hairline = hairline + faces.hair_wave * zigzag(x * 1.7 + faces.hair_phase)
    front = hair.outline * inside(v - hairline, part.half)
    blend(canvas, front, hair.tone)
    sheen = bump(((v + 0.8 * faces.head_top - 3.0 * x * x + 1.5 * faces.side_light) / 2.8) ** 2)
    sheen = sheen * bump(0.7 * (x - 0.5 * faces.side_light) ** 2)
    blend(canvas, front * 0.24 * sheen, 225.0)
