from pathlib import Path

import numpy as np
import pytest

from fer_perturb.data.drawn_faces.drawing import draw_faces
from fer_perturb.data.packed import load_packed
from fer_perturb.data.packing import make
from fer_perturb.data.readers.drawn_faces import DrawnFacesMaker, drawn_regions
from fer_perturb.errors import UserError


def test_drawn_faces_are_packed_with_all_that_is_known_of_them(tmp_path: Path) -> None:
    data = make(tmp_path / "synthetic", DrawnFacesMaker(seed=3, train=40, val=10, test=12))
    faces = draw_faces(62, 3)
    assert {split: len(packed) for split, packed in data.splits.items()} == {"train": 40, "val": 10, "test": 12}
    numbers = []
    for split, packed in data.splits.items():
        rows = [int(name.removeprefix("face")) for name in packed.names]
        numbers += rows
        np.testing.assert_array_equal(packed.images, faces.images[rows])
        np.testing.assert_array_equal(packed.labels, faces.labels[rows])
        np.testing.assert_array_equal(data.extra(split, "drawn"), faces.drawn[rows])
        np.testing.assert_array_equal(data.extra(split, "landmarks"), faces.landmarks[rows])
        np.testing.assert_array_equal(drawn_regions(data, split), faces.regions[rows])
    assert sorted(numbers) == list(range(62))


def test_drawn_faces_are_found_again_or_drawn_anew(tmp_path: Path) -> None:
    root = tmp_path / "synthetic"
    manifest = root / "manifest.json"
    make(root, DrawnFacesMaker(seed=0, train=10, val=5, test=5))
    before = manifest.stat().st_mtime_ns
    make(root, DrawnFacesMaker(seed=0, train=10, val=5, test=5))
    assert manifest.stat().st_mtime_ns == before
    make(root, DrawnFacesMaker(seed=1, train=10, val=5, test=5))
    assert load_packed(root).manifest["source"]["seed"] == 1
    make(root, DrawnFacesMaker(seed=1, train=11, val=5, test=5))
    assert len(load_packed(root).splits["train"]) == 11


def test_expressions_of_another_strength_are_other_faces(tmp_path: Path) -> None:
    counts = {"seed": 0, "train": 20, "val": 5, "test": 5}
    usual = make(tmp_path / "a", DrawnFacesMaker(**counts)).manifest
    clear = make(tmp_path / "a", DrawnFacesMaker(**counts, strength=[1.0, 1.25])).manifest
    assert usual["arrays"] != clear["arrays"]
    assert clear["source"]["strength"] == [1.0, 1.25]
    assert make(tmp_path / "b", DrawnFacesMaker(**counts, strength=[0.3, 1.25])).manifest["arrays"] == usual["arrays"]


@pytest.mark.parametrize("strength", [[1.0], [1.0, 0.5], [-0.1, 1.0], [0.5, 1.3]])
def test_a_strength_that_cannot_be_drawn(tmp_path: Path, strength: list[float]) -> None:
    with pytest.raises(UserError, match=r"dataset\.drawing\.strength=.*two ascending numbers from 0 to 1\.25"):
        make(tmp_path / "a", DrawnFacesMaker(seed=0, train=2, val=1, test=1, strength=strength))


def test_a_split_without_drawn_faces(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dataset\.drawing .*at least one image"):
        make(tmp_path / "synthetic", DrawnFacesMaker(seed=0, train=10, val=0, test=5))
    assert not list(tmp_path.iterdir())
