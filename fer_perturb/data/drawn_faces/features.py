"""What a face expresses itself by: eyes with their brows, nose, mouth, each drawn in its window; and glasses."""

import numpy as np
from numpy.typing import NDArray

from fer_perturb.data.drawn_faces.face import Faces, Side
from fer_perturb.data.drawn_faces.geometry import Window, brow, lids, lips
from fer_perturb.data.drawn_faces.shapes import Floats, between, blend, bump, inside, line

MARGIN = 0.5  # head units by which a region stands out over what is drawn


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
