import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.packed import RawSplit, load_packed, write_packed
from fer_perturb.data.packed.split import row_order
from fer_perturb.errors import UserError

CLASSES = ("calm", "tense", "other")


def raw_split(count: int, seed: int, size: tuple[int, int] = (6, 5)) -> RawSplit:
    rng = np.random.default_rng(seed)
    return RawSplit(
        images=rng.integers(0, 256, (count, *size), dtype=np.uint8),
        labels=rng.integers(0, len(CLASSES), count, dtype=np.uint8),
        names=[f"picture{number}" for number in range(count)],
        extras={"number": np.arange(count, dtype=np.float32)},
    )


def three_splits() -> dict[str, RawSplit]:
    return {split: raw_split(count, seed) for seed, (split, count) in enumerate(zip(SPLITS, (20, 6, 7), strict=True))}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data" / "mine"
    write_packed(root, "mine", CLASSES, three_splits(), {"form": "test"}, left_out={"odd": 2}, audit={"a": 1})
    return root


def test_what_is_written_is_what_is_loaded(root: Path) -> None:
    data = load_packed(root)
    raw = three_splits()
    assert data.name == "mine"
    assert data.classes == CLASSES
    assert data.image_size == (6, 5)
    for split in SPLITS:
        packed = data.splits[split]
        numbers = data.extra(split, "number").astype(int)
        assert sorted(numbers) == list(range(len(raw[split])))
        np.testing.assert_array_equal(packed.images, raw[split].images[numbers])
        np.testing.assert_array_equal(packed.labels, raw[split].labels[numbers])
        assert packed.names == [f"picture{number}" for number in numbers]
        assert isinstance(packed.images, np.memmap)


def test_rows_are_sorted_by_the_sha256_of_the_pixels(root: Path) -> None:
    split = load_packed(root).splits["train"]
    identities = split.identities()
    expected = [hashlib.sha256(bytes(image.ravel().tolist())).hexdigest() for image in split.images]
    assert [identity.decode() for identity in identities] == expected == sorted(expected)


def test_equal_pixels_are_sorted_by_label_then_name() -> None:
    images = np.zeros((4, 2, 2), np.uint8)
    split = RawSplit(images, np.array([1, 0, 1, 0], np.uint8), ["b", "d", "a", "c"])
    assert row_order(split).tolist() == [3, 1, 2, 0]


def test_manifest_tells_counts_hashes_and_source(root: Path) -> None:
    manifest = json.loads((root / "manifest.json").read_text())
    raw = three_splits()
    assert manifest["source"] == {"form": "test"}
    assert manifest["left_out"] == {"odd": 2}
    assert manifest["audit"] == {"a": 1}
    for split in SPLITS:
        assert manifest["counts"][split]["total"] == len(raw[split])
        for index, name in enumerate(CLASSES):
            assert manifest["counts"][split]["classes"][name] == (raw[split].labels == index).sum()
    for split in SPLITS:
        for file in (root / split).glob("*.npy"):
            facts = manifest["arrays"][f"{split}/{file.name}"]
            assert facts["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


@settings(max_examples=30, deadline=None)
@given(grey=st.lists(st.integers(0, 2), min_size=1, max_size=12), seed=st.integers(0, 1000))
def test_the_order_of_the_source_does_not_matter(grey: list[int], seed: int) -> None:
    # few grey values and labels, so that ties of pixels and labels are common
    rng = np.random.default_rng(seed)
    images = np.repeat(np.array(grey, np.uint8), 4).reshape(-1, 2, 2)
    labels = rng.integers(0, 2, len(grey), dtype=np.uint8)
    names = [f"n{number}" for number in range(len(grey))]
    ordered = []
    for rows in (np.arange(len(grey)), rng.permutation(len(grey))):
        split = RawSplit(images[rows], labels[rows], [names[row] for row in rows])
        order = row_order(split)
        ordered.append(
            (split.images[order].tobytes(), split.labels[order].tobytes(), [split.names[row] for row in order])
        )
    assert ordered[0] == ordered[1]


def test_names_keep_any_character_but_line_breaks(tmp_path: Path) -> None:
    split = RawSplit(np.zeros((1, 2, 2), np.uint8), np.zeros(1, np.uint8), ["a b\u2028ç\x0b,.jpg"])
    data = write_packed(tmp_path / "x", "x", CLASSES, dict.fromkeys(SPLITS, split), {})
    assert data.splits["train"].names == split.names
    broken = RawSplit(split.images, split.labels, ["a\nb"])
    with pytest.raises(ValueError, match="line break"):
        write_packed(tmp_path / "x", "x", CLASSES, dict.fromkeys(SPLITS, broken), {})


def test_arrays_are_read_only(root: Path) -> None:
    split = load_packed(root).splits["val"]
    with pytest.raises(ValueError, match="read-only"):
        split.images[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        split.labels[0] = 0


def test_an_extra_array_that_is_not_there(root: Path) -> None:
    with pytest.raises(KeyError, match="landmarks"):
        load_packed(root).extra("train", "landmarks")


@pytest.mark.parametrize(
    ("dataset", "command"),
    [
        ("fer2013", "python -m fer_perturb.prepare dataset=fer2013 source=PATH"),
        ("synthetic", "python -m fer_perturb.prepare dataset=synthetic"),
        ("mine", "python -m fer_perturb.prepare dataset=folder dataset.name=mine source=PATH"),
    ],
)
def test_no_data_names_the_command(tmp_path: Path, dataset: str, command: str) -> None:
    with pytest.raises(UserError) as caught:
        load_packed(tmp_path / dataset)
    assert command in str(caught.value)


def test_data_that_is_not_whole_is_refused(root: Path) -> None:
    damages = {
        "manifest.json": [b"", b"{", b"[]", b'{"version": 1}'],
        "train/images.npy": [None, b"", (root / "train/images.npy").read_bytes()[:-1]],
        "val/labels.npy": [None, (root / "test/labels.npy").read_bytes()],
        "test/names.txt": [None, b"one\n"],
        "val/number.npy": [None, (root / "train/number.npy").read_bytes()],
    }
    for name, contents in damages.items():
        path = root / name
        whole = path.read_bytes()
        for content in contents:
            path.unlink()
            if content is not None:
                path.write_bytes(content)
            with pytest.raises(UserError, match=r"not whole|version"):
                load_packed(root)
            path.write_bytes(whole)
    load_packed(root)


def test_another_version_of_the_format_is_refused(root: Path) -> None:
    manifest = json.loads((root / "manifest.json").read_text())
    (root / "manifest.json").write_text(json.dumps(manifest | {"version": 0}))
    with pytest.raises(UserError, match="version 0, expected 1"):
        load_packed(root)


def test_splits_that_do_not_fit_each_other(tmp_path: Path) -> None:
    good = three_splits()
    bad = {
        "one \\(H, W\\)": good | {"val": raw_split(3, 0, (4, 4))},
        "lengths": good | {"val": RawSplit(good["val"].images, good["val"].labels, ["one"])},
        "expected less than 3": good | {"val": RawSplit(good["val"].images[:1], np.array([3], np.uint8), ["one"])},
        "uint8": good | {"val": RawSplit(good["val"].images, good["val"].labels.astype(int), good["val"].names)},
        "splits are": {"train": good["train"]},
    }
    for message, splits in bad.items():
        with pytest.raises(ValueError, match=message):
            write_packed(tmp_path / "x", "x", CLASSES, splits, {})
    assert not list(tmp_path.iterdir())
