"""dlib's landmarks, placed on drawn faces, whose true ones are known."""

import json
import sys

import numpy as np
import pytest
import torch
from composing import DRAWING, composed

from fer_perturb.data.drawn_faces.drawing import draw_faces
from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.data.landmarks import dlib_landmarks, placing
from fer_perturb.data.landmarks.dlib_landmarks import place
from fer_perturb.data.landmarks.placing import place_landmarks
from fer_perturb.data.packed import RawSplit, load_packed, write_packed
from fer_perturb.data.packed.placed_landmarks import MOST_INSTABILITY
from fer_perturb.errors import UserError
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.files import PARTIAL, sha256, write_npy
from fer_perturb.landmarks import landmarks as place_them
from fer_perturb.tasks.chain import Chain

COUNTS = {"train": 12, "val": 4, "test": 5}


@pytest.fixture
def data(tmp_path):
    """Drawn faces as if nothing were known of them, the first training image without a face."""
    faces, start, splits = draw_faces(sum(COUNTS.values()), seed=8), 0, {}
    images = faces.images.copy()
    images[0] = 128
    for split, count in COUNTS.items():
        rows = slice(start, start + count)
        splits[split] = RawSplit(
            images[rows], faces.labels[rows], [f"face{row}" for row in range(start, start + count)]
        )
        start += count
    return write_packed(tmp_path / "data" / "faces", "faces", EMOTIONS, splits, {})


def test_they_lie_near_the_true_ones():
    faces = draw_faces(60, seed=2)
    found = [place(image) for image in faces.images]
    apart = np.linalg.norm(faces.landmarks[:, 36:42].mean(axis=1) - faces.landmarks[:, 42:48].mean(axis=1), axis=1)
    errors = np.array([
        np.linalg.norm(points - true, axis=1).mean() / eyes
        for (points, _), true, eyes in zip(found, faces.landmarks, apart, strict=True)
    ])  # fmt: skip
    instability = np.array([unstable for _, unstable in found])
    assert np.median(errors) < 0.25  # of the distance between the eyes; a constant shape gets 0.17 on these
    placed = np.stack([points for points, _ in found])
    constant = np.broadcast_to(draw_faces(200, seed=77).landmarks.mean(axis=0), placed.shape)
    mouth, of_constant = (  # pixels
        np.median(np.linalg.norm((points[:, 48:] - faces.landmarks[:, 48:]).mean(axis=1), axis=1))
        for points in (placed, constant)
    )
    assert mouth < 0.6 * of_constant  # it sees where this face's mouth is
    calm = instability <= np.median(instability)
    assert np.median(errors[calm]) < np.median(errors[~calm])  # instability tells which to trust


def test_stored_beside_the_images_they_belong_to(data):
    assert data.splits["train"].landmarks is None
    placed = place_landmarks(data, workers=2)
    noted = json.loads((data.root / "landmarks" / "manifest.json").read_text())
    for split, rows in placed.splits.items():
        assert rows.landmarks.shape == (COUNTS[split], 68, 2)
        assert rows.landmarks.dtype == np.float16
        instability = np.load(data.root / "landmarks" / f"{split}_instability.npy")
        row = int(instability.argmin())
        points, unstable = place(np.ascontiguousarray(rows.images[row]))
        assert np.array_equal(rows.landmarks[row], points.astype(np.float16))
        assert instability[row] == np.float16(unstable)
        assert (~placed.placed(split)).sum() == (instability > np.float16(MOST_INSTABILITY)).sum()
    assert placed.landmarks_identity == noted["arrays"]
    assert not list(data.root.parent.glob(f".*{PARTIAL}"))

    before = {path: path.stat().st_mtime_ns for path in (data.root / "landmarks").iterdir()}
    place_landmarks(data)  # stands there
    assert {path: path.stat().st_mtime_ns for path in (data.root / "landmarks").iterdir()} == before


def test_what_has_no_face_has_the_mean_shape(data):
    placed = place_landmarks(data, workers=1)
    blank = [row for row, image in enumerate(placed.splits["train"].images) if image.std() == 0]
    instability = {split: np.load(data.root / "landmarks" / f"{split}_instability.npy") for split in COUNTS}
    assert (instability["train"][blank] > MOST_INSTABILITY).all()
    sure = [rows.landmarks[instability[split] <= MOST_INSTABILITY] for split, rows in placed.splits.items()]
    mean = np.concatenate(sure).astype(np.float64).mean(axis=0)
    assert np.abs(placed.splits["train"].landmarks[blank] - mean).max() < 0.05


@pytest.mark.slow
def test_the_number_of_processes_changes_nothing(data, monkeypatch):
    monkeypatch.setattr(placing, "CHUNK", 5)
    one = place_landmarks(data, workers=1).landmarks_identity
    (data.root / "landmarks" / "manifest.json").unlink()
    assert place_landmarks(data, workers=3).landmarks_identity == one


def test_what_was_finished_is_not_done_again(data, monkeypatch):
    monkeypatch.setattr(placing, "CHUNK", 4)
    calls = []

    def interrupted(image):
        calls.append(image)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return place(image)

    monkeypatch.setattr(dlib_landmarks, "place", interrupted)
    with pytest.raises(KeyboardInterrupt):
        place_landmarks(data, workers=1)
    assert not (data.root / "landmarks").exists()
    (partial,) = data.root.parent.glob(f".*{PARTIAL}")
    finished = partial / "train-0000000.npy"
    write_npy(finished, np.load(finished) * 0 + np.array([7.0] * 136 + [0.0], dtype=np.float32))
    placed = place_landmarks(data, workers=1)
    assert (placed.splits["train"].landmarks[:4] == 7).all()
    assert not (placed.splits["train"].landmarks[4:] == 7).any()


def test_those_of_other_images_are_not_used(data, tmp_path):
    place_landmarks(data, workers=1)
    manifest = data.root / "landmarks" / "manifest.json"
    noted = json.loads(manifest.read_text())
    noted["made_by"]["images"]["val"] = "0" * 64
    manifest.write_text(json.dumps(noted))
    other = load_packed(data.root)
    assert other.splits["train"].landmarks is None
    with pytest.raises(UserError, match=r"of other images \(the hash differs\).*landmarks dataset=folder"):
        other.require_landmarks("dataset.occluder=mouth")


def test_damaged_ones_are_not_used_and_made_again(data):
    before = place_landmarks(data, workers=1).landmarks_identity
    train = data.root / "landmarks" / "train.npy"
    harms = (train.unlink, lambda: train.write_bytes(train.read_bytes()[:50]), lambda: write_npy(train, np.zeros(3)))
    for harm in harms:
        harm()
        damaged = load_packed(data.root)  # the images are as they were
        assert damaged.splits["train"].landmarks is None
        with pytest.raises(UserError, match="are damaged"):
            damaged.require_landmarks("The occluder mouth@1")
        assert place_landmarks(damaged, workers=1).landmarks_identity == before


def test_packing_the_same_images_again_keeps_them(data):
    before = place_landmarks(data, workers=1).landmarks_identity
    splits = {name: RawSplit(of.images[:], of.labels, of.names) for name, of in data.splits.items()}
    assert write_packed(data.root, "faces", EMOTIONS, splits, {}).landmarks_identity == before
    splits["val"] = RawSplit(255 - data.splits["val"].images, splits["val"].labels, splits["val"].names)
    assert write_packed(data.root, "faces", EMOTIONS, splits, {}).landmarks_identity == {}


def test_the_scheme_landmarks_says_how_to_get_them(data, tmp_path):
    given = ("dataset=folder", "dataset.name=faces", f"paths.data={data.root.parent}", f"paths.outputs={tmp_path}")
    config = composed(*given, "scheme=landmarks", "model=resnet_tiny", "recipe=demo", "trainer.accelerator=cpu")
    with pytest.raises(UserError, match=r"scheme=landmarks needs.*fer_perturb.landmarks dataset=folder"):
        Chain(open_experiment(config))
    before = place_landmarks(data, workers=1).landmarks_identity
    chain = Chain(open_experiment(config))
    key = chain.predictor.key()
    train = data.root / "landmarks" / "train.npy"
    write_npy(train, np.load(train) + np.float16(1))
    noted = json.loads((data.root / "landmarks" / "manifest.json").read_text())
    assert load_packed(data.root).landmarks_identity == {}, "changed by hand, they are not used"
    noted["arrays"]["train.npy"] = sha256(train)
    (data.root / "landmarks" / "manifest.json").write_text(json.dumps(noted))
    assert before != load_packed(data.root).landmarks_identity
    assert Chain(open_experiment(config)).predictor.key() != key
    assert torch.tensor(load_packed(data.root).splits["train"].landmarks).dtype == torch.float16


@pytest.mark.parametrize("missing", ["dlib", "face_recognition_models"])
def test_what_is_not_installed_is_said(data, monkeypatch, missing):
    dlib_landmarks.shape_predictor.cache_clear()
    if missing == "dlib":
        monkeypatch.setitem(sys.modules, "dlib", None)
    else:
        monkeypatch.setattr(dlib_landmarks.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=rf"(?s){missing}.*pip install '.\[maskfer\]'"):
        place_landmarks(data)
    assert not list(data.root.parent.glob(f".*{PARTIAL}"))


def test_known_ones_are_left_as_they_are(data_directory, capsys):
    given = ("dataset=synthetic", f"paths.data={data_directory}", *DRAWING)
    before = (data_directory / "synthetic" / "manifest.json").read_text()
    place_them(composed(*given, name="landmarks"))
    assert "has had its landmarks since it was made" in " ".join(capsys.readouterr().out.split())
    assert (data_directory / "synthetic" / "manifest.json").read_text() == before
