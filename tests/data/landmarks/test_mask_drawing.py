import hashlib

import numpy as np
import pytest

from fer_perturb.data.drawn_faces.drawing import draw_faces
from fer_perturb.data.landmarks.mask_drawing import STYLES, along, covered, curve, draw_mask


@pytest.fixture(scope="module")
def faces():
    return draw_faces(80, seed=4)


def identity(image):
    return hashlib.sha256(image.tobytes()).hexdigest().encode()


def masked(faces, row):
    return draw_mask(faces.images[row], faces.landmarks[row], identity(faces.images[row]))


def test_mouth_and_chin_are_covered_and_eyes_and_brows_are_not(faces):
    for row in range(80):
        changed = masked(faces, row).astype(int) != faces.images[row]
        brows, eyes, nose, mouth = faces.regions[row]
        assert changed[mouth].mean() > 0.9
        assert changed[nose].mean() > 0.4  # from the bridge down
        assert changed[eyes].mean() < 0.2
        assert changed[brows].mean() < 0.02


def test_the_identity_decides_and_nothing_else(faces):
    image, points = faces.images[0], faces.landmarks[0]
    first = draw_mask(image, points, identity(image))
    assert np.array_equal(draw_mask(image.copy(), points.astype(np.float64), identity(image)), first)
    others = [draw_mask(image, points, hashlib.sha256(bytes([k])).hexdigest().encode()) for k in range(20)]
    assert len({other.tobytes() for other in others}) == 20
    assert first.dtype == np.uint8
    assert first.shape == (48, 48)


def test_styles_are_drawn_evenly_and_look_different(faces):
    """By the tone of the mask: dark ones are dark, and the others light or patterned."""
    tones = [masked(faces, row)[faces.regions[row][3]].mean() for row in range(80)]
    assert 0.1 < np.mean(np.array(tones) < 70) < 0.45  # a quarter is dark, some of the cloth too
    assert np.mean(np.array(tones) > 120) > 0.3
    assert len(STYLES) == 4


def test_tones_follow_the_picture_s_light(faces):
    image, points = faces.images[5], faces.landmarks[5]
    dim = (image * 0.4).astype(np.uint8)
    for k in range(8):
        name = hashlib.sha256(bytes([k])).hexdigest().encode()
        mouth = faces.regions[5][3]
        assert draw_mask(dim, points, name)[mouth].mean() < 0.95 * draw_mask(image, points, name)[mouth].mean()


def test_edges_are_smooth(faces):
    square = np.array([[10.25, 10.25], [20.25, 10.25], [20.25, 20.25], [10.25, 20.25]])
    share = covered((48, 48), [square])
    assert share[15, 15] == 1
    assert share[5, 5] == 0
    assert share[15, 10] == pytest.approx(0.25, abs=0.13)  # Pillow's shapes hold their border: an eighth more
    assert share.sum() == pytest.approx(100, rel=0.03)
    line = covered((48, 48), [np.array([[5.0, 24.0], [40.0, 24.0]])], width=1.0)
    assert line.sum() == pytest.approx(35, rel=0.1)


def test_curves_go_through_their_points():
    points = np.array([[0.0, 0.0], [10.0, 5.0], [20.0, 0.0]])
    line = curve(points)
    for point in points:
        assert np.abs(line - point).sum(axis=1).min() < 1e-9
    assert np.allclose(along(np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]]), 0.75), [4.0, 2.0])


@pytest.mark.parametrize(
    "points", [np.zeros((68, 2)), np.full((68, 2), 500.0), np.random.default_rng(0).normal(24, 60, (68, 2))]
)
def test_points_that_make_no_face_still_give_a_picture(points):
    image = np.full((48, 48), 90, np.uint8)
    assert draw_mask(image, points, b"0" * 64).shape == (48, 48)


def test_other_sizes():
    faces = draw_faces(3, seed=1, size=96)
    for row in range(3):
        changed = masked(faces, row) != faces.images[row]
        assert changed[faces.regions[row][3]].mean() > 0.9
