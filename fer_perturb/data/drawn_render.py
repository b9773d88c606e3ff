"""Draws faces: curves and simple shapes with smooth edges, laid over one another, many images at a time.

Each shape's coverage of a pixel is worked out from its distance to the shape's edge. What is small is drawn in a
window around it. Per pixel there are only operations that IEEE 754 rounds exactly (+ - * /, square root, minimum
and maximum): an image's bytes depend neither on the images drawn with it nor on the number of threads.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.drawn_geometry import Faces, Side, brow, lids, lips
from fer_perturb.data.drawn_scene import Scene, light, occlude, paint_background
from fer_perturb.data.drawn_shapes import Floats, between, blend, bump, inside, line, take, zigzag

REGIONS = ("brows", "eyes", "nose", "mouth")
MARGIN = 0.5  # head units by which a region stands out over what is drawn


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
    return light(canvas, scene, noise, size), regions.transpose(1, 0, 2, 3)


def paint_head(canvas: Floats, part: Window, faces: Faces) -> None:
    """Hair, ears, neck, shoulders, and the head with its shading, wrinkles and beard."""
    u, v, half = part.u, part.v, part.half
    down = v > 0.0
    skin, hair = faces.skin, faces.hair
    away = u - 0.4 * faces.turn_u  # the hair turns with the head

    # hair's outline around the skull; below the middle it hangs straight
    strands = zigzag(away * 0.11 + faces.hair_phase + 0.012 * v)
    stand = faces.head_width + faces.hair_side + 0.5 * faces.hair_wave * strands
    rise = np.where(down, faces.hair_length, faces.head_top + faces.hair_top + 0.5 * faces.hair_wave * strands)
    x, y = away / stand, np.maximum(v, -40.0) / np.maximum(rise, 1.0)
    far = np.sqrt(x * x + y * y)
    over = np.where(down, np.maximum(np.abs(away) - stand, v - faces.hair_length), (far - 1.0) * stand)
    outline = inside(over, half)
    fan = away / (np.maximum(v, -18.0) + 34.0)  # strands fan out from above the crown
    texture = 0.09 * zigzag(fan * 7.0 + faces.hair_phase) + 0.06 * zigzag(fan * 17.0 + 0.02 * v)
    strand_tone = hair * (1.0 + texture) + 9.0 * (texture + 0.12 * faces.side_light * x)
    blend(canvas, outline, strand_tone * 0.8)

    # neck and shoulders
    shoulder = inside((np.sqrt((u / 21.0) ** 2 + ((v - 31.5) / 11.5) ** 2) - 1.0) * 11.5, half)
    blend(canvas, shoulder, faces.clothes * (1.0 + 0.06 * zigzag(u * 0.15 + faces.hair_phase)))
    neck = inside(np.maximum(np.abs(u) - 6.6 - 0.03 * np.maximum(v - 16.0, 0.0) ** 2, v - 23.5), half)
    blend(canvas, neck * (v > 6.0), skin * (0.62 + 0.02 * np.maximum(v - 17.0, 0.0)))

    for side in faces.sides:
        x, y = (u - side.ear_u) / side.ear_width, (v + 0.4) / faces.ear_size
        far = np.sqrt(x * x + y * y)
        ear = inside((far - 1.0) * side.ear_width, half)
        blend(canvas, ear, skin * (0.92 - 0.3 * bump(far * far * 1.6)))

    # the head, rounded by its shading, with a fine contour
    drop = np.maximum(v, 0.0) / faces.head_bottom
    x = u / (faces.head_width * (1.0 - faces.taper * drop * drop))
    y = np.where(down, drop, v / faces.head_top)
    squared = x * x + y * y
    edge = (np.sqrt(squared) - 1.0) * faces.head_width
    head = inside(edge, half)
    cheeks = bump((away / faces.head_width) ** 2 * 1.3 + ((v - 1.0) / 14.0) ** 2)
    tone = skin * (0.9 + 0.16 * cheeks - 0.1 * squared * squared)
    tone += skin * (0.13 * faces.side_light * x - 0.22 * (edge + 1.0).clip(0.0, 1.0))
    blend(canvas, head, tone)
    within = inside(edge + 0.7, half)

    # wrinkles of the forehead, blush, beard
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
    # it leaves the cheeks free and rises along the jaw to the ears
    aside = np.abs(u - 0.6 * faces.turn_u) / faces.head_width
    beard_line = faces.mouth_v + 0.6 - 26.0 * np.maximum(aside - 0.5, 0.0)
    blend(canvas, faces.beard * 0.85 * head * ((v - beard_line) * 0.6).clip(0.0, 1.0), hair * (0.95 + texture) + 6.0)

    # front hair: what of the hair's outline lies above the hairline
    x = (u - 0.7 * faces.turn_u) / faces.head_width
    hairline = faces.hair_line - faces.head_top + 0.6 * faces.nod_v + faces.hair_curve * x * x + faces.hair_slant * x
    hairline = hairline + faces.hair_wave * zigzag(x * 1.7 + faces.hair_phase)
    front = outline * inside(v - hairline, half)
    blend(canvas, front, strand_tone)
    # a sheen where the light falls on the hair
    sheen = bump(((v + 0.8 * faces.head_top - 3.0 * x * x + 1.5 * faces.side_light) / 2.8) ** 2)
    sheen = sheen * bump(0.7 * (x - 0.5 * faces.side_light) ** 2)
    blend(canvas, front * 0.24 * sheen, 225.0)


def paint_eye(patch: Floats, part: Window, faces: Faces, side: Side) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """One side's brow and eye; the regions of both within the window."""
    half, skin = part.half, faces.skin
    du, dv = part.u - side.eye_u, part.v - side.eye_v
    x = du * side.outward / side.eye_width
    upper, lower = lids(side, x)
    wide = inside((np.abs(x) - 1.0) * side.eye_width, half)

    # the socket, the upper lid's crease and the lower lid's bag
    blend(patch, 0.22 * bump((du / 5.6) ** 2 + ((dv + 0.6) / 4.4) ** 2), skin * 0.5)
    reach = (1.25 - np.abs(x)).clip(0.0, 1.0)
    blend(patch, line(part.v, half, upper - 1.05, 0.5) * reach * 0.35, skin * 0.4)
    bag = (0.12 + 0.15 * faces.age + 0.4 * faces.cheek).clip(0.0, 0.6)
    blend(patch, line(part.v, half, side.eye_v + 1.75 + 0.35 * (1.0 - x * x), 0.6) * reach * bag, skin * 0.45)
    for slope in (-0.55, 0.0, 0.55):  # crow's feet
        out = (x - 1.15) * side.eye_width
        foot = line(dv, half, slope * out, 0.5) * ((out > 0.0) & (out < 2.6))
        blend(patch, foot * (0.45 * faces.crows_feet).clip(0.0, 0.6), skin * 0.45)

    # eyeball, iris, pupil, glint
    ball = between(part.v, half, upper, lower) * wide
    blend(patch, ball, 238.0 - 26.0 * x * x)
    gaze_u, gaze_v = du - faces.gaze_u, dv - faces.gaze_v + 0.15
    far = np.sqrt(gaze_u * gaze_u + gaze_v * gaze_v)
    blend(patch, ball * inside(far - faces.iris_size, half), faces.iris)
    blend(patch, ball * inside(far - 0.5 * faces.iris_size, half), 12.0)
    glint = bump(((gaze_u + 0.6) ** 2 + (gaze_v + 0.65) ** 2) * 1.2)
    blend(patch, ball * glint, 250.0)
    # lashes: a dark upper edge, thinner below
    lash = between(part.v, half, upper - 0.62, upper + 0.22) * inside((np.abs(x) - 1.06) * side.eye_width, half)
    blend(patch, lash * 0.92, np.minimum(28.0, 0.3 * skin))
    blend(patch, line(part.v, half, lower + 0.15, 0.45) * wide * 0.5, skin * 0.4)
    eye_region = (part.v > upper - 0.6 - MARGIN) & (part.v < lower + 0.3 + MARGIN)
    eye_region &= np.abs(x) * side.eye_width < side.eye_width + MARGIN

    x = (part.u - side.brow_u) * side.outward / side.brow_width
    upper, lower = brow(side, x)
    ends = inside((np.abs(x) - 1.0) * side.brow_width, half)
    blend(patch, between(part.v, half, upper, lower) * ends * 0.93, faces.brow_tone)
    brow_region = (part.v > upper - MARGIN) & (part.v < lower + MARGIN)
    brow_region &= np.abs(x) * side.brow_width < side.brow_width + MARGIN
    return brow_region, eye_region


def paint_nose(patch: Floats, part: Window, faces: Faces) -> NDArray[np.bool_]:
    """Nose, its wrinkles and the furrow between the brows; the nose's region within the window."""
    u, v, half, skin = part.u, part.v, part.half, faces.skin
    down = ((v - faces.nose_top) / (faces.nose_v - faces.nose_top)).clip(0.0, 1.2)
    ridge = faces.turn_u + (faces.nose_u - faces.turn_u) * down
    du = u - ridge
    base = v - faces.nose_v
    on = inside(np.abs(v - 0.5 * (faces.nose_top + faces.nose_v)) - 0.5 * (faces.nose_v - faces.nose_top), half)

    # a lit ridge, a shaded flank, a round tip and wings
    flank = 1.2 + 0.9 * down * down
    blend(patch, 0.22 * on * bump((du / 1.1) ** 2), np.minimum(skin * 1.25, 250.0))
    blend(patch, 0.26 * on * line(du, half, flank, 1.1), skin * 0.5)
    blend(patch, 0.12 * on * line(du, half, -flank, 0.9), skin * 0.5)
    tip = bump(((u - faces.nose_u) / 2.2) ** 2 + ((base + 1.1) / 2.0) ** 2)
    blend(patch, 0.35 * tip, np.minimum(skin * 1.22, 250.0))
    shadow = bump(((u - faces.nose_u) / (faces.nose_width + 1.0)) ** 2 + ((base - 0.9) / 1.5) ** 2)
    blend(patch, 0.4 * shadow, skin * 0.45)
    # AU 9: creases across the bridge that slant down to the sides
    aside = np.abs(du)
    for rank in range(3):
        crease = line(v, half, faces.nose_top + 0.2 + 1.5 * rank + 0.5 * aside, 0.6) * inside(aside - 2.3, half)
        blend(patch, crease * (0.5 * faces.nose_wrinkle).clip(0.0, 0.7), skin * 0.35)
    for outward in (-1.0, 1.0):
        x = (u - faces.nose_u) * outward
        wing = bump(((x - faces.nose_width) / 0.9) ** 2 + ((base + 0.4) / 1.5) ** 2)
        blend(patch, 0.5 * wing, skin * 0.5)
        hole = bump(((x - 0.5 * faces.nose_width) / 1.15) ** 2 + ((base - 0.1) / 0.85) ** 2)
        blend(patch, 0.85 * hole, skin * 0.2)
        # AU 4: upright creases between the brows
        furrow = line(u - faces.turn_u, half, outward * 1.0, 0.65)
        furrow = furrow * inside(np.abs(v - faces.nose_top + 3.4) - 1.7, half)
        blend(patch, furrow * (0.6 * faces.furrow).clip(0.0, 0.7), skin * 0.3)
    ridge_region = (aside < 0.9 + MARGIN + (faces.nose_width - 0.4) * down**2) & (on > 0.5)
    base_region = (np.abs(u - faces.nose_u) < faces.nose_width + 0.4) & (np.abs(base + 0.3) < 1.3 + MARGIN)
    region: NDArray[np.bool_] = ridge_region | base_region
    return region


def paint_mouth(patch: Floats, part: Window, faces: Faces) -> NDArray[np.bool_]:
    """Mouth, moustache, chin and the folds beside the mouth; the mouth's region within the window."""
    u, v, half, skin = part.u, part.v, part.half, faces.skin
    du = u - faces.mouth_u
    x = du / faces.mouth_width
    outer_upper, inner_upper, inner_lower, outer_lower = lips(faces, x)
    wide = inside((np.abs(x) - 1.0) * faces.mouth_width, half)

    # nasolabial folds: from beside the nose's wings, bowed, to beside the mouth's corners
    corner_v = faces.mouth_v - 0.7 * faces.corner_up
    top = faces.nose_v - 0.6
    along = (v - top) / (corner_v + 0.8 - top)
    bow = faces.nose_width + 0.9 + (faces.mouth_width + 1.5 - faces.nose_width - 0.9) * along
    bow = bow + 1.5 * along * (1.0 - along)
    stretch = ((along > 0.0) & (along < 1.0)) * (0.5 * faces.nasolabial).clip(0.0, 0.65)
    for outward in (-1.0, 1.0):
        blend(patch, line(du * outward, half, bow, 0.75) * stretch, skin * 0.42)
    # the moustache, the shade below the lower lip, the chin
    low = np.minimum(outer_upper + 0.3, faces.nose_v + 3.4 + 0.1 * du * du)
    hairy = between(v, half, faces.nose_v + 1.2 + 0.06 * du * du, low) * inside(np.abs(du) - 5.0, half)
    blend(patch, faces.moustache * hairy * 0.9, faces.hair * 0.9 + 6.0)
    lowest = faces.mouth_v + faces.open_low + faces.lower_lip
    shade = bump((du / 3.8) ** 2 + ((v - lowest - 1.1) / 1.1) ** 2)
    blend(patch, 0.22 * shade, skin * 0.4)
    boss = (0.5 * faces.chin_boss).clip(0.0, 0.6)
    blend(patch, bump((du / 2.8) ** 2 + ((v - lowest - 3.0) / 1.3) ** 2) * boss, skin * 0.6)

    # the cavity with tongue and teeth, then the lips over it
    cavity = between(v, half, inner_upper, inner_lower) * wide
    blend(patch, cavity, 26.0)
    tongue = bump((du / (0.75 * faces.mouth_width)) ** 2 + ((v - faces.mouth_v - faces.open_low + 0.2) / 2.0) ** 2)
    blend(patch, cavity * tongue, 108.0)
    gap = faces.open_up + faces.open_low
    teeth = between(v, half, inner_upper, inner_upper + faces.upper_teeth * np.minimum(0.85 * gap, 2.2)) * wide
    blend(patch, teeth * cavity, 236.0)
    lower_row = between(v, half, inner_lower - np.minimum(0.5 * gap, 1.5), inner_lower) * wide
    blend(patch, lower_row * cavity * faces.lower_teeth, 222.0)
    blend(patch, between(v, half, outer_upper, inner_upper) * wide, faces.lip_tone * 0.88)
    blend(patch, between(v, half, inner_lower, outer_lower) * wide, faces.lip_tone)
    shine = bump((du / 2.4) ** 2 + ((v - 0.5 * (inner_lower + outer_lower)) / 0.7) ** 2)
    blend(patch, shine * 0.3 * wide, np.minimum(skin * 1.1, 245.0))
    # the line between the lips, which runs a little into the cheeks
    ends = inside((np.abs(x) - 1.0) * faces.mouth_width - 0.6, half)
    for edge, strength in ((inner_upper - 0.1, 0.9), (inner_lower + 0.1, 0.6)):
        blend(patch, line(v, half, edge, 0.75) * ends * strength, np.minimum(30.0, 0.3 * skin))
    return (v > outer_upper - MARGIN) & (v < outer_lower + MARGIN) & (np.abs(du) < faces.mouth_width + MARGIN)


def paint_glasses(canvas: Floats, part: Window, faces: Faces) -> None:
    """Round glasses with a bridge and temples."""
    half, tone = part.half, 30.0
    size = faces.glasses_size
    for side in faces.sides:
        du, dv = (part.u - side.eye_u) * side.outward - 0.2, part.v - side.eye_v - 0.4
        far = np.sqrt(du * du + dv * dv * 1.25)
        blend(canvas, 0.1 * inside(far - size, half), 235.0)
        blend(canvas, line(far, half, size, 0.95) * faces.glasses, tone)
        temple = line(dv, half, -0.8, 0.9) * inside(np.maximum(size - du, du - 8.5), half)
        blend(canvas, temple * faces.glasses, tone)
    inner = (part.u > faces.left.eye_u + size - 0.4) & (part.u < faces.right.eye_u - size + 0.4)
    blend(canvas, line(part.v - faces.left.eye_v, half, -0.3, 0.9) * inner * faces.glasses, tone)
