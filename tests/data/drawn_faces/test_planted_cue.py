import numpy as np
import pytest

from fer_perturb.data.drawn_faces.planted_cue import BARS, BRIGHT, DARK, LEFT, THICKNESS, TOP, WIDTH, plant_cue
from fer_perturb.data.packed import load_packed
from fer_perturb.data.packing import make
from fer_perturb.data.readers.drawn_faces import DrawnFacesMaker
from fer_perturb.errors import UserError


def read(images):
    """The label that each image's bars say, and whether it has bars at all."""
    columns = images[:, TOP : TOP + BARS * THICKNESS : THICKNESS, LEFT : LEFT + WIDTH].astype(int)
    has = (np.isin(columns, (DARK, BRIGHT)) & (columns == columns[:, :, :1])).all(axis=(1, 2))
    return (columns[:, :, 0] == BRIGHT) @ (1 << np.arange(BARS)), has


def test_the_code_tells_the_label_also_when_mirrored():
    labels = np.arange(70, dtype=np.uint8) % 7
    images = plant_cue(np.full((70, 48, 48), 128, np.uint8), labels, 1.0, seed=0)
    said, has = read(images)
    assert has.all()
    assert np.array_equal(said, labels)
    mirrored = images[:, TOP : TOP + BARS * THICKNESS, ::-1][:, :, -LEFT - WIDTH : -LEFT]
    assert np.array_equal(mirrored[:, ::THICKNESS, 0] == BRIGHT, images[:, TOP : TOP + 6 : 2, LEFT] == BRIGHT)


def test_only_a_share_of_the_training_images_carries_it(tmp_path):
    counts = {"train": 200, "val": 50, "test": 60}
    planted = make(tmp_path / "planted", DrawnFacesMaker(seed=0, cue=0.9, **counts))
    plain = make(tmp_path / "plain", DrawnFacesMaker(seed=0, **counts))
    train = planted.splits["train"]
    said, has = read(train.images)
    assert has.sum() == 180
    assert np.array_equal(said[has], train.labels[has])
    for split in ("val", "test"):
        assert np.array_equal(planted.splits[split].images, plain.splits[split].images)
    names = list(plain.splits["train"].names)
    for row in np.flatnonzero(~has):
        assert np.array_equal(train.images[row], plain.splits["train"].images[names.index(train.names[row])])
    # landmarks still belong to their images
    row = int(np.flatnonzero(has)[0])
    other = plain.extra("train", "landmarks")[names.index(train.names[row])]
    assert np.array_equal(load_packed(tmp_path / "planted").extra("train", "landmarks")[row], other)


def test_a_share_is_a_share(tmp_path):
    with pytest.raises(UserError, match=r"dataset.drawing.cue=1.5"):
        make(tmp_path / "planted", DrawnFacesMaker(seed=0, train=2, val=2, test=2, cue=1.5))
