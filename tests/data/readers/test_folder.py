from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.progress import Progress
from small_fer2013 import encode, textures

from fer_perturb.data.file_names import LITTER
from fer_perturb.data.packing import pack
from fer_perturb.data.readers.folder.reader import FolderReader, read_folder
from fer_perturb.data.readers.folder.splitting import Splitting
from fer_perturb.data.readers.reader import Reading
from fer_perturb.errors import UserError

QUIET = Progress(disable=True)
CLASSES = ("tense", "calm", "in between")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    images = iter(textures(30, 0, (20, 32)))
    for split, count in (("train", 4), ("val", 2), ("test", 1)):
        for name in CLASSES:
            folder = tmp_path / "faces" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number}.png").write_bytes(encode(next(images), "PNG"))
    return tmp_path / "faces"


def read(source: Path, resize: tuple[int, int] | None = None) -> Reading:
    return read_folder(source, CLASSES, resize=resize, splitting=Splitting(), progress=QUIET)


def test_pictures_labels_and_names(source: Path) -> None:
    found = read(source)
    assert {split: len(raw) for split, raw in found.splits.items()} == {"train": 12, "val": 6, "test": 3}
    for split, raw in found.splits.items():
        assert raw.images.shape[1:] == (20, 32)
        for image, label, name in zip(raw.images, raw.labels, raw.names, strict=True):
            assert name.startswith(f"{CLASSES[label]}/")
            np.testing.assert_array_equal(image, np.asarray(Image.open(source / split / name)))
    assert found.left_out == {}


def test_any_format_and_colour(source: Path) -> None:
    folder = source / "train" / "calm"
    grey = textures(1, 9, (20, 32))[0]
    picture = Image.fromarray(grey)
    for name in ("a.bmp", "b.PNG", "c.tiff", "d.webp", "e.gif"):
        picture.convert("RGB").save(folder / name, lossless=True)
    picture.save(folder / "f.JPG", quality=100)
    alpha = picture.convert("RGBA")
    alpha.putalpha(7)
    alpha.save(folder / "g.png")
    train = read(source).splits["train"]
    images = dict(zip(train.names, train.images, strict=True))
    for name in ("a.bmp", "b.PNG", "c.tiff", "d.webp", "e.gif", "f.JPG", "g.png"):
        np.testing.assert_allclose(images[f"calm/{name}"].astype(int), grey, atol=3, err_msg=name)


def test_a_camera_s_orientation_is_obeyed(source: Path) -> None:
    upright = Image.fromarray(textures(1, 9, (20, 32))[0])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    upright.rotate(90, expand=True).save(source / "train" / "calm" / "phone.png", exif=exif)
    train = read(source).splits["train"]
    np.testing.assert_array_equal(train.images[train.names.index("calm/phone.png")], np.asarray(upright))


def test_hidden_files_are_passed_over_and_others_counted(source: Path) -> None:
    (source / "train" / ".DS_Store").write_bytes(b"x")
    (source / "train" / "calm" / "._0.png").write_bytes(b"x")
    (source / "train" / "calm" / "notes.txt").write_bytes(b"x")
    (source / "val" / "list.csv").write_bytes(b"x")
    (source / "README.md").write_bytes(b"x")
    found = read(source)
    assert len(found.splits["train"]) == 12
    assert found.left_out == {
        LITTER: 2,
        "file that is no picture": 1,
        "file beside the class folders": 1,
        "file or folder beside those of the splits": 1,
    }


def test_resize_on_request(source: Path) -> None:
    (source / "val" / "calm" / "other.png").write_bytes(encode(textures(1, 1, (64, 64))[0], "PNG"))
    with pytest.raises(UserError, match=r"other\.png has 64x64 pixels, .*0\.png has 32x20"):
        read(source)
    found = read(source, (24, 28))
    assert {raw.images.shape[1:] for raw in found.splits.values()} == {(24, 28)}


@pytest.mark.parametrize(
    "resize",
    [True, False, 48, 4.5, (48,), (0, 48), (48, -1), (48, 48, 1), (True, 48), (48.0, 48), "48", "4848"],
    ids=repr,
)
def test_resize_is_two_whole_numbers(source: Path, tmp_path: Path, resize: Any) -> None:
    with pytest.raises(UserError, match=r"dataset\.resize=.*Expected \[height, width\] in pixels"):
        pack(source, tmp_path / "data" / "mine", FolderReader(CLASSES, resize))
    assert not (tmp_path / "data").exists()


def test_a_class_may_be_missing_outside_training(source: Path) -> None:
    (source / "test" / "calm" / "0.png").unlink()
    (source / "test" / "calm").rmdir()
    assert len(read(source).splits["test"]) == 2


@pytest.mark.parametrize("count", [2, 11])
def test_any_number_of_classes_is_prepared(tmp_path: Path, count: int) -> None:
    classes = [f"class{number}" for number in range(count)]
    images = iter(textures(3 * count, 2, (10, 10)))
    for split in ("train", "val", "test"):
        for name in classes:
            folder = tmp_path / "faces" / split / name
            folder.mkdir(parents=True)
            (folder / "face.png").write_bytes(encode(next(images), "PNG"))
    data = pack(tmp_path / "faces", tmp_path / "data" / "mine", FolderReader(classes))
    assert data.name == "mine"
    assert data.classes == tuple(classes)
    assert data.image_size == (10, 10)
    assert np.bincount(data.splits["train"].labels).tolist() == [1] * count
    assert data.manifest["audit"]["duplicate_groups"] == 0


def test_bad_folders(source: Path, tmp_path: Path) -> None:
    def expect(message: str, classes: tuple[str, ...] = CLASSES, where: Path = source) -> None:
        with pytest.raises(UserError, match=message):
            read_folder(where, classes, resize=None, splitting=Splitting(), progress=QUIET)

    expect("does not exist", where=tmp_path / "nowhere")
    expect("cannot be read as a csv", where=source / "train" / "calm" / "0.png")
    expect("is of the class in between, which is no known class.*tense, calm", classes=("tense", "calm"))
    expect("no pictures of happy in train", classes=(*CLASSES, "happy"))
    expect("a name twice.*2 to 127 different names", classes=("calm", "calm", "tense"))
    expect("has 1 classes.*2 to 127 different names", classes=("calm",))
    # 127, the most that an int8 label can tell apart, are refused only because there are no pictures of them
    expect("no pictures of 0, 1, ", classes=(*CLASSES, *map(str, range(124))))
    expect("has 128 classes.*2 to 127 different names", classes=(*CLASSES, *map(str, range(125))))
    expect("is no name of a folder", classes=("calm", "../calm"))
    picture = source / "val" / "calm" / "0.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:-20])
    expect(r"0\.png is truncated or corrupt")
    picture.write_bytes(whole)
    (source / "val" / "calm" / "more").mkdir()
    expect("more is a folder inside a class folder")
    (source / "val" / "calm" / "more").rmdir()
    for name in CLASSES:
        (source / "test" / name / "0.png").unlink()
    expect("has no test, only train, val")
    (source / "test").rename(source / "other")
    expect("has no test, only train, val")
