import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from rich.progress import Progress
from small_fer2013 import (
    EMOTIONS,
    Picture,
    encode,
    pictures,
    textures,
    with_faults,
    write_csv,
    write_fer2013_csv,
    write_folder,
    write_icml_csv,
    write_zip,
)

from fer_perturb.data.packed import load_packed
from fer_perturb.data.packing import pack
from fer_perturb.data.readers.fer2013.reader import Fer2013Reader, read_fer2013
from fer_perturb.data.readers.reader import Reading

QUIET = Progress(disable=True)
SPLIT = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}


def read(source: Path, *, resize: bool = False) -> Reading:
    return read_fer2013(source, resize=resize, progress=QUIET)


def rows(content: list[Picture]) -> list[tuple[str, int, bytes]]:
    return sorted((SPLIT[one.usage], EMOTIONS.index(one.emotion), one.pixels.tobytes()) for one in content)


def rows_read(found: Reading) -> list[tuple[str, int, bytes]]:
    return sorted(
        (name, int(label), image.tobytes())
        for name, split in found.splits.items()
        for image, label in zip(split.images, split.labels, strict=True)
    )


@pytest.fixture(scope="module")
def few() -> list[Picture]:
    return list(pictures((2, 1, 1)))


def test_all_forms_of_the_same_pixels_give_the_same_arrays(tmp_path: Path) -> None:
    content = with_faults(pictures())
    rng = np.random.default_rng(0)

    def shuffled() -> list[Picture]:
        return [content[row] for row in rng.permutation(len(content))]

    csv = write_fer2013_csv(tmp_path / "fer2013.csv", shuffled())
    with zipfile.ZipFile(tmp_path / "csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(csv, "fer2013/fer2013.csv")
    with tarfile.open(tmp_path / "fer2013.tar.gz", "w:gz") as tar:
        tar.add(csv, "fer2013/fer2013.csv")
    sources = {
        "zip of pictures": write_zip(tmp_path / "archive.zip", shuffled()),
        "folder of pictures": write_folder(tmp_path / "unpacked", shuffled()),
        "fer2013.csv": csv,
        "icml_face_data.csv": write_icml_csv(tmp_path / "icml_face_data.csv", shuffled()),
        "fer2013.csv in a zip": tmp_path / "csv.zip",
        "fer2013.csv in a tar": tmp_path / "fer2013.tar.gz",
    }
    arrays = {}
    for number, (form, source) in enumerate(sources.items()):
        data = pack(source, tmp_path / str(number) / "fer2013", Fer2013Reader())
        assert data.manifest["source"]["form"] == form
        assert data.manifest["source"]["file"] == source.name
        arrays[form] = {
            f"{split}/{file}": (data.root / split / file).read_bytes()
            for split in data.splits
            for file in ("images.npy", "labels.npy")
        }
    first = arrays.pop("zip of pictures")
    assert len(first) == 6
    for form, found in arrays.items():
        assert found == first, form


@pytest.mark.parametrize("write", [write_zip, write_folder, write_fer2013_csv, write_icml_csv])
def test_every_image_has_its_split_label_and_pixels(tmp_path: Path, few: list[Picture], write: object) -> None:
    assert callable(write)
    found = read(write(tmp_path / "misleading.name", few))
    assert rows_read(found) == rows(few)
    assert found.left_out == {}


def test_names_are_files_or_rows(tmp_path: Path, few: list[Picture]) -> None:
    found = read(write_zip(tmp_path / "a.zip", few))
    assert sorted(name for split in found.splits.values() for name in split.names) == sorted(one.file for one in few)
    found = read(write_fer2013_csv(tmp_path / "a.csv", few))
    for usage, split in SPLIT.items():
        for name, image in zip(found.splits[split].names, found.splits[split].images, strict=True):
            one = few[int(name.removeprefix("row")) - 1]
            assert one.usage == usage
            np.testing.assert_array_equal(image, one.pixels)


def test_what_does_not_fit_is_counted_and_left_out(tmp_path: Path, few: list[Picture]) -> None:
    source = write_folder(tmp_path / "folder", few)
    whole = few[0].data
    for name in ("aug_Training_1.jpg", "Training_1_flip.jpg", "Training_x.jpg", "training_1.jpg"):
        (source / few[0].folder / name).write_bytes(whole)
    (source / "README.txt").write_text("hello")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in source.rglob("*"):
            archive.write(path, path.relative_to(source))
    for form in (source, tmp_path / "a.zip"):
        found = read(form)
        assert list(found.left_out.values()) == [5]
        assert rows_read(found) == rows(few)


def test_left_out_files_are_told(tmp_path: Path, few: list[Picture], capsys: pytest.CaptureFixture[str]) -> None:
    source = write_folder(tmp_path / "folder", few)
    (source / few[0].folder / "copy.jpg").write_bytes(few[0].data)
    data = pack(source, tmp_path / "data" / "fer2013", Fer2013Reader())
    assert list(data.manifest["left_out"].values()) == [1]
    assert "Left out: 1" in capsys.readouterr().out


def test_folders_above_do_not_matter(tmp_path: Path, few: list[Picture]) -> None:
    write_folder(tmp_path / "outer" / "inner", few)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in (tmp_path / "outer").rglob("*"):
            archive.write(path, path.relative_to(tmp_path))
    assert rows_read(read(tmp_path / "outer")) == rows(few)
    assert rows_read(read(tmp_path / "a.zip")) == rows(few)


def test_a_csv_beside_others_is_found_by_its_columns(tmp_path: Path, few: list[Picture]) -> None:
    write_icml_csv(tmp_path / "icml_face_data.csv", few)
    write_csv(tmp_path / "train.csv", ["emotion", "pixels"], [["0", "1 2"]])
    write_csv(tmp_path / "example_submission.csv", [], [])
    assert rows_read(read(tmp_path)) == rows(few)


def test_csv_from_another_system(tmp_path: Path, few: list[Picture]) -> None:
    path = write_fer2013_csv(tmp_path / "a.csv", few)
    lines = path.read_text().splitlines()
    quoted = [lines[0], "", *(",".join(f'"{cell}"' for cell in line.split(",")) for line in lines[1:]), ""]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(quoted).encode())
    assert rows_read(read(path)) == rows(few)


def test_resize_brings_every_picture_to_48(tmp_path: Path, few: list[Picture]) -> None:
    source = write_folder(tmp_path / "folder", few[1:])
    large = textures(1, 5, (96, 80))[0]
    (source / few[0].folder / few[0].file).write_bytes(encode(large, "PNG"))
    found = read(source, resize=True)
    assert found.splits["train"].images.shape == (14, 48, 48)
    others = {one.pixels.tobytes() for one in few[1:]}
    (resized,) = [image for image in found.splits["train"].images if image.tobytes() not in others]
    blocks = large.reshape(48, 2, 80)[:, :, :].mean(axis=1)
    rows_alike = np.corrcoef(resized.mean(axis=1), blocks.mean(axis=1))[0, 1]
    assert rows_alike > 0.999


def test_colour_becomes_grey(tmp_path: Path, few: list[Picture]) -> None:
    source = write_folder(tmp_path / "folder", few)
    red = np.zeros((48, 48, 3), np.uint8)
    red[..., 0] = 200
    (source / "train" / "happy" / "Training_777.png").write_bytes(encode(red, "PNG"))
    train = read(source).splits["train"]
    (row,) = [row for row, name in enumerate(train.names) if name == "Training_777.png"]
    assert np.unique(train.images[row]).tolist() == [60]  # 0.299 * 200


def test_the_same_source_is_not_read_again(tmp_path: Path, few: list[Picture]) -> None:
    source = write_zip(tmp_path / "a.zip", few)
    root = tmp_path / "data" / "fer2013"
    manifest = root / "manifest.json"
    pack(source, root, Fer2013Reader())
    before = manifest.stat().st_mtime_ns
    pack(source, root, Fer2013Reader())
    assert manifest.stat().st_mtime_ns == before
    # other settings, other content or damage: read again
    pack(source, root, Fer2013Reader(resize=True))
    assert load_packed(root).manifest["source"]["resize"] is True
    write_zip(source, pictures((2, 1, 1), seed=1))
    images = (root / "train" / "images.npy").read_bytes()
    pack(source, root, Fer2013Reader(resize=True))
    changed = (root / "train" / "images.npy").read_bytes()
    assert changed != images
    (root / "train" / "images.npy").write_bytes(changed[:-1] + bytes([changed[-1] ^ 1]))
    pack(source, root, Fer2013Reader(resize=True))
    assert (root / "train" / "images.npy").read_bytes() == changed
