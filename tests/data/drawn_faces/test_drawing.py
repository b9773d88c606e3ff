"""The drawn faces: the same bytes each time, true landmarks and regions, action units that move what they should."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_perturb.data.drawn_faces.action_units import (
    COMPANION_UNITS,
    EMOTION_UNITS,
    MOVES,
    UNIT_EFFECTS,
    UNITS,
    moves,
    unit_intensities,
)
from fer_perturb.data.drawn_faces.drawing import CLASS_COUNTS, REGIONS, DrawnFaces, class_counts, draw_faces
from fer_perturb.data.drawn_faces.geometry import landmarks
from fer_perturb.data.drawn_faces.sampling import sample_faces
from fer_perturb.data.emotions import EMOTIONS

BROWS, EYES, NOSE, MOUTH = slice(17, 27), slice(36, 48), slice(27, 36), slice(48, 68)


@pytest.fixture(scope="module")
def faces() -> DrawnFaces:
    return draw_faces(2000, seed=0)


def upright(points: np.ndarray) -> np.ndarray:
    """Landmarks turned about their mean so that the line from eye to eye is level."""
    across = points[:, 42:48].mean(1) - points[:, 36:42].mean(1)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    centred = points - points.mean(1, keepdims=True)
    x = centred @ across[:, :, None]
    y = centred @ np.stack([-across[:, 1], across[:, 0]], 1)[:, :, None]
    return np.concatenate([x, y], axis=2)


def mean_of(measure: Callable[[np.ndarray], np.ndarray], faces: DrawnFaces) -> dict[str, float]:
    values = measure(upright(faces.landmarks))
    return {name: float(values[faces.drawn == index].mean()) for index, name in enumerate(EMOTIONS)}


def same(first: DrawnFaces, second: DrawnFaces) -> bool:
    names = ("images", "labels", "drawn", "landmarks", "regions")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)


def test_shapes_and_types(faces: DrawnFaces) -> None:
    assert (faces.images.shape, faces.images.dtype) == ((2000, 48, 48), np.uint8)
    assert (faces.landmarks.shape, faces.landmarks.dtype) == ((2000, 68, 2), np.float32)
    assert (faces.regions.shape, faces.regions.dtype) == ((2000, 4, 48, 48), np.bool_)
    assert faces.labels.dtype == faces.drawn.dtype == np.uint8
    assert len(faces) == 2000
    assert np.isfinite(faces.landmarks).all()


def test_a_seed_gives_the_same_bytes_in_any_chunks_and_with_any_threads() -> None:
    first = draw_faces(70, seed=3)
    for chunk in (1, 7, 70):
        assert same(first, draw_faces(70, seed=3, chunk=chunk))
    with ThreadPoolExecutor(2) as pool:
        assert all(same(first, again) for again in pool.map(lambda _: draw_faces(70, seed=3), range(4)))
    assert not np.array_equal(first.images, draw_faces(70, seed=4).images)


def test_no_two_images_are_equal(faces: DrawnFaces) -> None:
    assert len(np.unique(faces.images.reshape(len(faces), -1), axis=0)) == len(faces)


def test_classes_are_as_unequal_as_in_fer2013(faces: DrawnFaces) -> None:
    counts = np.bincount(faces.drawn, minlength=7)
    assert np.abs(counts / len(faces) - np.array(CLASS_COUNTS) / sum(CLASS_COUNTS)).max() < 1 / len(faces)
    assert class_counts(sum(CLASS_COUNTS)).tolist() == list(CLASS_COUNTS)


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 40000))
def test_class_counts_add_up(n: int) -> None:
    counts = class_counts(n)
    assert counts.sum() == n
    assert np.abs(counts - n * np.array(CLASS_COUNTS) / sum(CLASS_COUNTS)).max() < 1


def test_the_share_of_wrong_labels(faces: DrawnFaces) -> None:
    assert np.mean(faces.labels != faces.drawn) == pytest.approx(0.04)
    assert faces.labels.max() < 7
    clean = draw_faces(50, seed=0, label_noise=0.0)
    assert np.array_equal(clean.labels, clean.drawn)
    assert np.sum((half := draw_faces(50, seed=0, label_noise=0.5)).labels != half.drawn) == 25


@pytest.mark.parametrize(
    ("region", "points"), [("brows", BROWS), ("eyes", EYES), ("nose", NOSE), ("mouth", MOUTH)], ids=REGIONS
)
def test_landmarks_lie_in_the_box_of_their_region(faces: DrawnFaces, region: str, points: slice) -> None:
    inside = faces.regions[:, REGIONS.index(region)]
    rows, columns = inside.any(2), inside.any(1)
    low = np.stack([columns.argmax(1), rows.argmax(1)], 1)[:, None]
    high = 47 - np.stack([columns[:, ::-1].argmax(1), rows[:, ::-1].argmax(1)], 1)[:, None]
    landmarks = faces.landmarks[:, points]
    visible = ((landmarks >= 0) & (landmarks <= 47)).all(2)
    assert visible.mean() > 0.99
    near = ((landmarks >= low - 1) & (landmarks <= high + 1)).all(2)
    assert near[visible].all()


def test_regions_are_small_and_never_empty(faces: DrawnFaces) -> None:
    areas = faces.regions.mean((2, 3))
    assert areas.min() > 0.003
    assert areas.max() < 0.12
    assert (faces.regions[:, REGIONS.index("eyes")] & faces.regions[:, REGIONS.index("mouth")]).sum() == 0


def test_a_face_is_in_order(faces: DrawnFaces) -> None:
    points = upright(faces.landmarks)
    heights = [points[:, part, 1].mean(1) for part in (BROWS, EYES, NOSE, MOUTH)]
    for above, below in pairwise(heights):
        assert (above < below).all()
    assert (points[:, 8, 1] > points[:, 57, 1]).all()  # the chin below the mouth
    # jaw, brows, nose base and mouth run from the image's left to its right
    for run in (slice(0, 17), slice(17, 27), slice(31, 36), slice(48, 55), slice(60, 65)):
        steps = np.diff(points[:, run, 0], axis=1)
        assert (steps.mean(1) > 0).all()
    assert (points[:, 36, 0] < points[:, 39, 0]).all()
    assert (points[:, 42, 0] < points[:, 45, 0]).all()
    for eye in (36, 42):
        upper, lower = points[:, eye + 1 : eye + 3, 1].mean(1), points[:, eye + 4 : eye + 6, 1].mean(1)
        assert (upper < lower).all()


def test_the_drawing_follows_the_landmarks(faces: DrawnFaces) -> None:
    """Eyes are drawn where the landmarks say: the lids' box varies more than the cheek below it."""
    deviations = np.zeros((2, 300))
    for row, (image, points) in enumerate(zip(faces.images[:300], faces.landmarks[:300], strict=True)):
        x, y = np.rint(points[36:42].mean(0)).astype(int)
        for place, top in enumerate((y - 2, y + 4)):
            deviations[place, row] = image[max(top, 0) : top + 5, max(x - 3, 0) : x + 4].std()
    assert np.median(deviations[0]) > 2.5 * np.median(deviations[1])


def corners_up(points: np.ndarray) -> np.ndarray:
    return points[:, 60:68, 1].mean(1) - points[:, [48, 54], 1].mean(1)


def mouth_open(points: np.ndarray) -> np.ndarray:
    return points[:, 66, 1] - points[:, 62, 1]


def mouth_width(points: np.ndarray) -> np.ndarray:
    return points[:, 54, 0] - points[:, 48, 0]


def brow_height(points: np.ndarray) -> np.ndarray:
    return points[:, EYES, 1].mean(1) - points[:, BROWS, 1].mean(1)


def inner_brow_height(points: np.ndarray) -> np.ndarray:
    return points[:, [17, 26], 1].mean(1) - points[:, [21, 22], 1].mean(1)


def eye_opening(points: np.ndarray) -> np.ndarray:
    return points[:, [40, 41, 46, 47], 1].mean(1) - points[:, [37, 38, 43, 44], 1].mean(1)


@pytest.mark.parametrize(
    ("measure", "more", "less"),
    [
        (corners_up, "happy", "neutral"),
        (corners_up, "neutral", "sad"),
        (corners_up, "neutral", "disgust"),
        (mouth_open, "surprise", "neutral"),
        (mouth_open, "fear", "neutral"),
        (mouth_width, "happy", "neutral"),
        (mouth_width, "fear", "surprise"),
        (mouth_width, "neutral", "angry"),
        (brow_height, "surprise", "neutral"),
        (brow_height, "neutral", "angry"),
        (inner_brow_height, "sad", "neutral"),
        (inner_brow_height, "neutral", "angry"),
        (eye_opening, "surprise", "neutral"),
        (eye_opening, "neutral", "happy"),
        (eye_opening, "fear", "disgust"),
    ],
)
def test_action_units_move_what_they_should(
    faces: DrawnFaces, measure: Callable[[np.ndarray], np.ndarray], more: str, less: str
) -> None:
    means = mean_of(measure, faces)
    assert means[more] > means[less] + 0.5


def test_the_table_of_units_is_facs() -> None:
    assert EMOTION_UNITS["happy"] == (6, 12)
    assert EMOTION_UNITS["sad"] == (1, 4, 15)
    assert EMOTION_UNITS["surprise"] == (1, 2, 5, 26)
    assert EMOTION_UNITS["fear"] == (1, 2, 4, 5, 20, 26)
    assert EMOTION_UNITS["angry"] == (4, 5, 7, 23)
    assert EMOTION_UNITS["disgust"] == (9, 15, 16)
    assert EMOTION_UNITS["neutral"] == ()
    used = {unit for units in (*EMOTION_UNITS.values(), *COMPANION_UNITS.values()) for unit in units}
    assert used == set(UNIT_EFFECTS)


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_alone_does_what_its_row_says(unit: int) -> None:
    total = moves(np.eye(len(UNITS))[[UNITS.index(unit)]])
    assert {name: float(value[0]) for name, value in total.items() if value[0]} == UNIT_EFFECTS[unit]


@pytest.mark.parametrize("strength", [(0.3, 0.4), (1.0, 1.25)])
def test_strength_is_that_of_an_emotions_units(strength: tuple[float, float]) -> None:
    emotion = EMOTIONS.index("happy")
    found = unit_intensities(np.full(4000, emotion, np.uint8), np.random.default_rng(0), strength)
    of_unit = found[:, UNITS.index(12)]
    assert strength[0] < np.median(of_unit) < strength[1]


@pytest.mark.parametrize("move", MOVES)
def test_the_geometry_reads_every_move(move: str) -> None:
    """No effect in the table is a misspelt name that nothing follows."""
    rest = {name: np.full(4, 0.3) for name in MOVES}
    plain = sample_faces(4, rest, np.random.default_rng(0))
    moved = sample_faces(4, {**rest, move: np.full(4, -0.3)}, np.random.default_rng(0))
    assert repr(plain) != repr(moved)


def test_landmarks_follow_the_pose() -> None:
    faces = sample_faces(7, moves(np.zeros((7, len(UNITS)))), np.random.default_rng(0))
    moved = replace(faces, frame=replace(faces.frame, x0=faces.frame.x0 + 2, y0=faces.frame.y0 - 1))
    np.testing.assert_allclose(landmarks(moved) - landmarks(faces), np.tile([2.0, -1.0], (7, 68, 1)), atol=1e-4)


def test_another_size_is_the_same_face_with_more_pixels() -> None:
    small, large = draw_faces(20, seed=1, label_noise=0.0), draw_faces(20, seed=1, size=96, label_noise=0.0)
    assert large.images.shape == (20, 96, 96)
    np.testing.assert_allclose((large.landmarks + 0.5) / 2 - 0.5, small.landmarks, atol=1e-4)
    halved = large.images.reshape(20, 48, 2, 48, 2).mean((2, 4))
    assert np.abs(halved - small.images).mean() < 8
    areas = large.regions.mean((2, 3)) / small.regions.mean((2, 3))
    assert 0.85 < areas.mean() < 1.15


@pytest.mark.parametrize("wrong", [{"n": 0}, {"size": 10}, {"label_noise": 1.5}, {"strength": (1, 0)}])
def test_what_cannot_be_drawn_is_refused(wrong: dict[str, object]) -> None:
    arguments = {"n": 10, "seed": 0, **wrong}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        draw_faces(**arguments)
