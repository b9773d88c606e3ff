"""Each pixel belongs to one part; what landmarks outline is what was drawn."""

from pathlib import Path

import numpy as np
import pytest
import torch
from known_networks import faces

from fer_perturb.data.packed import load_packed
from fer_perturb.errors import UserError
from fer_perturb.saliency import regions
from fer_perturb.saliency.faces import evenly
from fer_perturb.saliency.regions import FEATURES, PARTS, facial_parts, left_half


def test_each_pixel_belongs_to_one_part() -> None:
    _, _, parts, _ = faces()
    assert parts.shape[1] == len(PARTS)
    assert bool((parts.sum(dim=1) == 1).all())


def test_landmarks_outline_what_was_drawn(data_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_packed(data_directory / "synthetic")
    rows = np.arange(len(data.splits["test"]))
    true = facial_parts(data, "test", rows)
    monkeypatch.setattr(regions, "_drawn", lambda data, split: False)
    outlined = facial_parts(data, "test", rows)
    assert bool((outlined.sum(dim=1) == 1).all())
    both, either = (true & outlined).sum(dim=(0, 2, 3)), (true | outlined).sum(dim=(0, 2, 3))
    iou = dict(zip(PARTS, (both / either).tolist(), strict=True))
    assert min(iou[name] for name in FEATURES) > 0.4, iou
    assert iou["rest"] > 0.9


def test_without_landmarks_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    from tiny_dataset import write_tiny

    data = write_tiny(tmp_path / "tiny")
    with pytest.raises(UserError, match=r"Where a network looks needs landmarks"):
        facial_parts(data, "test", np.arange(3))


def test_the_left_half_holds_the_left_eye() -> None:
    _, _, parts, points = faces()
    eyes = parts[:, PARTS.index("eyes")]
    left = left_half(points, (48, 48))
    for n in range(len(points)):
        at = torch.nonzero(eyes[n] & left[n]).float().mean(dim=0).flip(0)  # x and y
        eye, other = points[n, 36:42].mean(dim=0), points[n, 42:48].mean(dim=0)
        assert (at - eye).norm() < (at - other).norm()


def test_faces_are_drawn_evenly_and_always_alike() -> None:
    labels = np.repeat([0, 1, 2], [50, 3, 20])
    rows = evenly(labels, 30)
    assert np.bincount(labels[rows]).tolist() == [10, 3, 10]
    assert (np.diff(rows) > 0).all()
    assert (evenly(labels, 30) == rows).all()
    assert set(rows) < set(evenly(labels, 45)), "more faces are these and others"
