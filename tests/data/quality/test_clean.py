from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from small_fer2013 import FAULTS, pictures, with_faults, write_zip

from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.packed import PackedData, Split
from fer_perturb.data.packing import pack
from fer_perturb.data.quality.clean import has_twin, kept_rows
from fer_perturb.data.readers.fer2013.reader import Fer2013Reader


def test_planted_faults_are_left_out_of_training(tmp_path: Path) -> None:
    data = pack(write_zip(tmp_path / "a.zip", with_faults(pictures())), tmp_path / "fer2013", Fer2013Reader())
    rows = kept_rows(data)
    train = data.splits["train"]
    left_out = FAULTS["leaking_from_training"] + FAULTS["conflicting_in_training"] + FAULTS["constant_in_training"]
    assert len(rows) == len(train) - left_out
    assert rows.dtype == np.int64
    assert (np.diff(rows) > 0).all()


def test_twins_in_training(tmp_path: Path) -> None:
    data = pack(write_zip(tmp_path / "a.zip", with_faults(pictures())), tmp_path / "fer2013", Fer2013Reader())
    train = data.splits["train"].identities()
    for split in ("val", "test"):
        twins = has_twin(data.splits[split].identities(), train)
        assert twins.sum() == FAULTS[f"train/{split}"][1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.sampled_from(SPLITS)), max_size=16))
def test_kept_rows_agree_with_the_definition(rows: list[tuple[int, int, str]]) -> None:
    rows = [*rows, *((9, 0, split) for split in SPLITS)]
    splits = {}
    for split in SPLITS:
        here = [row for row in rows if row[2] == split]
        images = np.zeros((len(here), 2, 2), np.uint8)
        images[:, 0, 0] = [row[0] for row in here]
        labels = np.array([row[1] for row in here], np.uint8)
        splits[split] = Split(images, labels, [str(number) for number in range(len(here))])
    data = PackedData(Path(), "x", ("a", "b"), splits, {})
    train = data.splits["train"]
    expected = []
    for row, (image, _) in enumerate(zip(train.images, train.labels, strict=True)):
        pixel = int(image[0, 0])
        elsewhere = any(other == pixel and split != "train" for other, _, split in rows)
        conflicting = len({label for other, label, _ in rows if other == pixel}) > 1
        if pixel != 0 and not elsewhere and not conflicting:
            expected.append(row)
    assert kept_rows(data).tolist() == expected
