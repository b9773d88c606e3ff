"""Prepared data as a config asks to see them."""

import numpy as np
import pytest
from composing import composed, small_overrides

from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.data.drawn_faces.drawing import draw_faces
from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.data.landmarks.placing import place_landmarks
from fer_perturb.data.packed import RawSplit, load_packed, write_packed
from fer_perturb.data.variant import variant_of
from fer_perturb.errors import UserError
from fer_perturb.evaluate import evaluate
from fer_perturb.experiment.dataset import open_dataset
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.tasks.chain import Chain
from fer_perturb.train import train

COUNTS = {"train": 64, "val": 12, "test": 20}


@pytest.fixture(scope="module")
def faces():
    return draw_faces(sum(COUNTS.values()), seed=4)


@pytest.fixture
def data(faces, tmp_path, monkeypatch):
    """Photographs: every fourth face of each split is one that the predictor is not sure of."""
    splits, start, restless = {}, 0, set()
    for split, count in COUNTS.items():
        rows = slice(start, start + count)
        images = faces.images[rows]
        restless |= {image.tobytes() for image in images[::4]}
        splits[split] = RawSplit(images, faces.labels[rows], [f"face{row}" for row in range(count)])
        start += count
    known = {image.tobytes(): points for image, points in zip(faces.images, faces.landmarks, strict=True)}
    monkeypatch.setattr(
        "fer_perturb.data.landmarks.dlib_landmarks.place",
        lambda image: (known[image.tobytes()], 0.5 if image.tobytes() in restless else 0.01),
    )
    monkeypatch.setattr("fer_perturb.data.landmarks.dlib_landmarks.shape_predictor", lambda: None)
    return place_landmarks(write_packed(tmp_path / "data" / "faces", "faces", EMOTIONS, splits, {}), workers=1)


def names(data, split="test"):
    return sorted(data.splits[split].names)


def test_faces_that_could_not_be_placed_are_left_out_of_every_split(data):
    kept = variant_of(data, {"unplaced": "drop"})
    assert [len(split) for split in kept.splits.values()] == [48, 9, 15]
    assert kept.name == data.name
    for split, of in kept.splits.items():
        whole, placed = data.splits[split], data.placed(split)
        assert not placed.all()
        assert np.array_equal(of.images, whole.images[placed])
        assert np.array_equal(of.labels, whole.labels[placed])
        assert np.array_equal(of.landmarks, whole.landmarks[placed])
        assert of.names == [name for name, there in zip(whole.names, placed, strict=True) if there]
        assert kept.placed(split).all()
        assert len(kept.placed(split)) == len(of)
    assert kept.identity != data.identity


def test_hidden_as_well_and_told_apart(data):
    hides = {"occluder": "mouth"}
    kept, every = (variant_of(data, {**hides, "unplaced": unplaced}) for unplaced in ("drop", "mean"))
    assert kept.name == every.name == "faces+mouth@1"
    assert len(kept.splits["train"]) < len(every.splits["train"])
    assert kept.splits["train"].occluder == every.splits["train"].occluder is not None
    assert len({str(of.identity) for of in (kept, every, data, variant_of(data, {"unplaced": "drop"}))}) == 4


def test_nothing_changes_where_every_face_is_placed(data_directory):
    drawn = load_packed(data_directory / "synthetic")
    assert variant_of(drawn, {"unplaced": "drop"}) is drawn
    assert variant_of(drawn, {}) is drawn


def test_clear_errors(data, tmp_path):
    given = (f"paths.data={data.root.parent}", "dataset=folder", "dataset.name=faces")
    with pytest.raises(UserError, match=r"dataset.unplaced=some: expected mean or drop"):
        open_dataset(composed(*given, "dataset.unplaced=some"))
    whole = load_packed(data.root)
    splits = {name: RawSplit(of.images, of.labels, of.names) for name, of in whole.splits.items()}
    bare = write_packed(tmp_path / "bare", "bare", EMOTIONS, splits, {})
    with pytest.raises(UserError, match=r"dataset.unplaced=drop needs landmarks.*python -m fer_perturb.landmarks"):
        variant_of(bare, {"unplaced": "drop"})


@pytest.mark.slow
def test_a_run_is_trained_and_tested_without_them(data, tmp_path):
    directory, outputs = data.root.parent, tmp_path / "outputs"
    given = ("dataset=folder", "dataset.name=faces", "dataset.unplaced=drop", "test_on=[faces+eyes]")
    overrides = [o for o in small_overrides(directory, outputs) if not o.startswith("dataset")]
    config = composed(*overrides, *given)
    run, summary = train(config)
    for name in ("faces", "faces+eyes@1"):
        tested = read_predictions(
            run / "predictions" / f"{name}.parquet", split="test", inference=summary["inference"], tta=summary["tta"]
        )
        assert sorted(tested.names) == names(variant_of(data, {"unplaced": "drop"}))
    asked = ("trainer.accelerator=cpu", f"paths.data={directory}", f"paths.outputs={outputs}", f"run={run}")
    hidden = (*asked, "dataset=folder", "dataset.name=faces", "dataset.occluder=nose")
    with pytest.raises(UserError, match=r"dataset.unplaced=mean: .* was trained and tested with drop"):
        evaluate(composed(*hidden, name="evaluate"))
    file = evaluate(composed(*hidden, "dataset.unplaced=drop", name="evaluate"))
    tested = read_predictions(file, split="test", inference=summary["inference"], tta=summary["tta"])
    assert file.name == "faces+nose@1.parquet"
    assert len(tested.names) == 15
    every = composed(*overrides, "dataset=folder", "dataset.name=faces")
    assert Chain(open_experiment(every)).predictor.key() != Chain(open_experiment(config)).predictor.key()
