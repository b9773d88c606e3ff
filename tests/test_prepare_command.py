"""python -m fer_perturb.prepare as people use it: a folder of their own faces, and what goes wrong with one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commanding import Commands
from composing import composed
from small_fer2013 import encode, textures

from fer_perturb.data.packed import load_packed
from fer_perturb.errors import UserError
from fer_perturb.prepare import prepare

FOLDER = ("dataset=folder", "dataset.name=mine")
CLASSES = "classes=[2,tense]"  # Hydra reads the first as a number
Command = Callable[..., tuple[int, str]]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Pictures of 20x24 pixels in two classes: 3 of each to train on, 1 of each in val and test."""
    images = iter(textures(10, 0, (24, 20)))
    for split, count in (("train", 3), ("val", 1), ("test", 1)):
        for name in ("2", "tense"):
            folder = tmp_path / "faces" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number}.jpg").write_bytes(encode(next(images)))
    return tmp_path / "faces"


@pytest.fixture
def command(commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The exit status, and all that was shown."""
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> tuple[int, str]:
        shown = commands("prepare", *arguments)
        assert "Traceback" not in shown.out + shown.err
        return shown.status, shown.out + shown.err

    return called


def test_a_folder_is_prepared(command: Command, faces: Path, tmp_path: Path) -> None:
    status, shown = command(*FOLDER, CLASSES, "source=faces")
    assert status == 0, shown
    root = Path("data", "mine")
    assert f"Ready: {root}" in shown
    assert "distinct images" in shown  # of the audit
    data = load_packed(tmp_path / root)
    assert data.name == "mine"
    assert data.classes == ("2", "tense")
    assert data.image_size == (24, 20)
    assert {split: np.bincount(packed.labels).tolist() for split, packed in data.splits.items()} == {
        "train": [3, 3],
        "val": [1, 1],
        "test": [1, 1],
    }
    assert {path.name for path in tmp_path.iterdir()} == {"faces", "data"}  # no log files


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((*FOLDER, CLASSES, "source=nowhere"), ("source=nowhere does not exist", "train/<class>/<picture>")),
        (("dataset=fer2013",), ("source= is missing", "python -m fer_perturb.prepare dataset=fer2013 source=PATH")),
        ((*FOLDER, "classes=calm", "source=faces"), ("classes=calm is no list", "classes=[calm,tense]")),
        ((*FOLDER, CLASSES, "source=faces", "dataset.resize=true"), ("dataset.resize=True", "[height, width]")),
    ],
    ids=["missing source", "no source", "no classes", "resize"],
)
def test_errors_say_what_to_do(
    command: Command,
    arguments: tuple[str, ...],
    expected: tuple[str, ...],
    faces: Path,
    tmp_path: Path,
) -> None:
    status, shown = command(*arguments)
    assert status == 2
    for words in ("Error: ", *expected):
        assert words in shown
    assert not (tmp_path / "data").exists()


def test_a_truncated_jpeg_is_named(command: Command, faces: Path, tmp_path: Path) -> None:
    picture = faces / "train" / "tense" / "1.jpg"
    picture.write_bytes(picture.read_bytes()[:-50])
    status, shown = command(*FOLDER, CLASSES, "source=faces")
    assert status == 2
    assert f"Error: {picture.relative_to(tmp_path)} is truncated" in shown
    assert "Fetch it again" in shown
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((*FOLDER, "classes=calm"), r"classes=calm is no list.*classes=\[calm,tense\]"),
        ((*FOLDER, "classes=3"), r"classes=3 is no list"),
        ((*FOLDER, CLASSES, "dataset.resize=48"), r"dataset\.resize=48 .*Expected \[height, width\]"),
        ((*FOLDER, CLASSES, "dataset.resize=[48]"), r"dataset\.resize=\[48\] .*Expected \[height, width\]"),
        (
            ("dataset=fer2013", "dataset.resize=[48,48]"),
            r"dataset\.resize=\[48, 48\] .*fer2013\. Expected true .* or false",
        ),
    ],
    ids=str,
)
def test_keys_of_another_kind(arguments: tuple[str, ...], expected: str, faces: Path, tmp_path: Path) -> None:
    config = composed(*arguments, f"source={faces}", f"paths.data={tmp_path / 'data'}", name="prepare")
    with pytest.raises(UserError, match=expected):
        prepare(config)
    assert not (tmp_path / "data").exists()


def test_resize_from_a_config(faces: Path, tmp_path: Path) -> None:
    config = composed(
        *FOLDER, CLASSES, "dataset.resize=[16,12]", f"source={faces}", f"paths.data={tmp_path / 'data'}", name="prepare"
    )
    assert load_packed(prepare(config)).manifest["source"]["resize"] == [16, 12]


def bytes_below(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


@pytest.mark.parametrize(
    ("place", "words", "told"),
    [
        (
            "data/mine",
            (*FOLDER, "source=data/mine"),
            "source=data/mine and data/mine, where its packed data are to lie",
        ),
        ("data/mine/raw", (*FOLDER, "source=data/mine/raw"), "overlap"),
        ("data/faces", (*FOLDER, "source=data"), "overlap"),
        ("linked", (*FOLDER, "source=linked"), "overlap"),
        ("data/fer2013", ("dataset=fer2013", "source=data/fer2013"), "overlap"),
        ("data/fer2013", ("dataset=fer2013", "source=data/fer2013/fer2013.zip"), "overlap"),
        ("data/mine", (*FOLDER, "source=elsewhere"), "no packed data, and packing into data/mine would remove it"),
        ("data/mine", ("dataset=maskfer", "dataset.name=mine", "source=elsewhere"), "no packed data"),
        ("data/mine", ("dataset=synthetic", "dataset.name=mine"), "no packed data"),
    ],
    ids=str,
)
def test_pictures_are_not_replaced_by_what_is_packed(
    command: Command, faces: Path, tmp_path: Path, place: str, words: tuple[str, ...], told: str
) -> None:
    """As people unpack them: where the packed data belong."""
    (tmp_path / "data" / "mine").mkdir(parents=True)
    if place == "linked":
        faces.rename(tmp_path / "data" / "mine" / "pictures")
        (tmp_path / "linked").symlink_to("data/mine/pictures")
    else:
        (tmp_path / place).parent.mkdir(exist_ok=True)
        faces.rename(tmp_path / place)
    (tmp_path / "elsewhere").mkdir()
    before = bytes_below(tmp_path)
    status, shown = command(*words)
    assert status == 2, shown
    assert told in shown
    assert "another dataset.name" in shown
    assert bytes_below(tmp_path) == before


def test_what_to_do_with_pictures_in_the_way_works(command: Command, faces: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    faces.rename(tmp_path / "data" / "mine")
    assert command(*FOLDER, "source=data/mine")[0] == 2
    assert command("dataset=folder", "dataset.name=other", "source=data/mine")[0] == 0
    (tmp_path / "data" / "mine").rename(tmp_path / "moved")
    status, shown = command(*FOLDER, "source=moved")
    assert status == 0, shown
    assert command(*FOLDER, "source=moved")[0] == 0  # what is packed is replaced


@pytest.mark.parametrize("left", ["manifest.json", "train/images.npy", "val/names.txt"])
def test_packed_data_without_one_of_their_files_are_replaced(
    command: Command, faces: Path, tmp_path: Path, left: str
) -> None:
    assert command(*FOLDER, "source=faces")[0] == 0
    root = tmp_path / "data" / "mine"
    (root / left).unlink()
    (root / ".DS_Store").write_bytes(b"Mac OS X")
    status, shown = command(*FOLDER, "source=faces")
    assert status == 0, shown
    assert len(load_packed(root).splits["train"]) == 6
    (root / "train" / "notes.md").write_text("mine")
    assert "notes.md is no packed data" in command(*FOLDER, "source=faces")[1]
    assert (root / "train" / "notes.md").read_text() == "mine"
