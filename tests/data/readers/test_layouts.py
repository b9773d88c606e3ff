"""Faces as people have them: each layout, what systems leave among them, and names; with what each is to give."""

import gzip
import json
import os
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from commanding import Shown
from composing import composed
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from small_fer2013 import (
    EMOTIONS,
    Picture,
    encode,
    pictures,
    textures,
    write_fer2013_csv,
    write_folder,
    write_zip,
)

from fer_perturb.command_line.words import as_typed
from fer_perturb.data.file_names import LITTER
from fer_perturb.data.packed import PackedData, load_packed
from fer_perturb.data.packing import pack
from fer_perturb.data.readers.fer2013.reader import Fer2013Reader
from fer_perturb.errors import UserError
from fer_perturb.prepare import prepare, report

CLASSES = ("calm", "tense")
APPLEDOUBLE = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(40)
Counts = dict[str, list[int]]


@cache
def choices(dataset: str) -> DictConfig:
    return composed(f"dataset={dataset}", name="prepare")


class Faces:
    """Makes pictures of 12x12 pixels, no two alike, and prepares what they lie in.

    As the command does, but for what Hydra does a second for: each word of it is still read by Hydra's own parser.
    """

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.source = folder / "faces"
        self.images: Iterator[np.ndarray] = iter(textures(400, 0, (12, 12)))

    def add(self, *paths: str, image: np.ndarray | None = None) -> None:
        """A picture at each path inside the source."""
        for path in paths:
            data = encode(next(self.images) if image is None else image, "PNG")  # Pillow tells by the content
            self.write(path, data)

    def write(self, path: str, data: bytes) -> None:
        file = self.source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def split(self, folder: str, count: int, classes: Iterable[str] = CLASSES, ending: str = ".png") -> None:
        for name in classes:
            self.add(*(f"{folder}/{name}/{number}{ending}" for number in range(count)))

    def prepare(self, *words: str, source: Path | None = None, dataset: str = "folder") -> Shown:
        config = choices(dataset).copy()
        given = ("dataset.name=mine", f"source={source or self.source}", f"paths.data={self.folder / 'data'}", *words)
        for override in OverridesParser.create().parse_overrides(as_typed(given)):
            OmegaConf.update(config, override.key_or_group, override.value())
        self.capsys.readouterr()
        try:
            report([prepare(config)], config)
        except UserError as error:
            return Shown(2, self.capsys.readouterr().out, f"Error: {error}")
        return Shown(0, self.capsys.readouterr().out, "")

    def packed(self, *words: str, source: Path | None = None, dataset: str = "folder") -> PackedData:
        shown = self.prepare(*words, source=source, dataset=dataset)
        assert shown.status == 0, shown.err
        (ready,) = re.findall(r"^Ready: (.*)", shown.out, re.MULTILINE)
        return load_packed(Path(ready))


@pytest.fixture
def faces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Faces:
    return Faces(tmp_path, capsys)


def counts(data: PackedData) -> Counts:
    """Pictures of each class in each split."""
    return {
        split: np.bincount(packed.labels, minlength=len(data.classes)).tolist() for split, packed in data.splits.items()
    }


def names(data: PackedData) -> dict[str, set[str]]:
    return {split: set(packed.names) for split, packed in data.splits.items()}


def flat(shown: Shown) -> str:
    """What was printed, without the line breaks of a narrow terminal."""
    return " ".join(shown.out.split())


# -------------------------------------------------------------------------------------------------- split folders


@pytest.mark.parametrize("val", ["val", "valid", "validation", "dev", "Val", "VALID", "Validation", "Dev"])
def test_folders_of_val_by_any_of_its_names(faces: Faces, val: str) -> None:
    faces.split("Train" if val[0].isupper() else "train", 3)
    faces.split(val, 2)
    faces.split("TEST" if val.isupper() else "test", 1)
    data = faces.packed()
    assert data.classes == CLASSES
    assert counts(data) == {"train": [3, 3], "val": [2, 2], "test": [1, 1]}


@pytest.mark.parametrize("above", ["images", "archive/data"])
def test_splits_below_an_archive_s_own_folder(faces: Faces, above: str) -> None:
    for split, count in (("training", 3), ("validation", 2), ("testing", 1)):
        faces.split(f"{above}/{split}", count)
    faces.write("README.txt", b"from an archive")
    data = faces.packed()
    assert counts(data) == {"train": [3, 3], "val": [2, 2], "test": [1, 1]}
    assert sum(data.manifest["left_out"].values()) == 1


@pytest.mark.parametrize("ending", [".JPG", ".jpeg", ".Png", ".BMP", ".webp", ".TIFF"])
def test_endings_in_any_case(faces: Faces, ending: str) -> None:
    for split in ("train", "val", "test"):
        faces.split(split, 2, ending=ending)
        faces.add(f"{split}/calm/one.png")
    data = faces.packed()
    assert counts(data) == {"train": [3, 2], "val": [3, 2], "test": [3, 2]}
    assert data.manifest["left_out"] == {}


@pytest.mark.parametrize("other", ["test", "val"])
def test_val_is_taken_from_train_on_request_and_the_message_says_how(faces: Faces, other: str) -> None:
    faces.split("train", 20)
    faces.add(*(f"train/tense/more{number}.png" for number in range(20)))
    faces.split(other, 5)
    told = faces.prepare().sentence
    assert "dataset.val_share=0.1" in told
    data = faces.packed("dataset.val_share=0.1")  # as it says
    assert counts(data) == {"train": [18, 36], "val": [2, 4], "test": [5, 5]}
    assert names(data)["test"] == {f"{name}/{number}.png" for name in CLASSES for number in range(5)}
    recorded = data.manifest["source"]["splitting"]
    assert recorded == {"val_share": 0.1, "shares": None, "group": None, "seed": 0}
    first, again = names(data)["val"], names(faces.packed("dataset.val_share=0.1"))["val"]
    seeded = faces.packed("dataset.val_share=0.1", "dataset.split_seed=1")
    assert again == first
    assert names(seeded)["val"] != first
    assert counts(seeded) == counts(data)
    assert seeded.manifest["source"]["splitting"]["seed"] == 1


def test_class_folders_without_splits_and_the_message_says_how(faces: Faces) -> None:
    faces.split("CK+48", 30)
    told = faces.prepare(source=faces.source / "CK+48").sentence
    assert "dataset.split=[0.8,0.1,0.1]" in told
    data = faces.packed("dataset.split=[0.8,0.1,0.1]", source=faces.source / "CK+48")
    assert counts(data) == {"train": [24, 24], "val": [3, 3], "test": [3, 3]}
    assert data.manifest["source"]["splitting"]["shares"] == [0.8, 0.1, 0.1]
    there = [name for split in names(data).values() for name in split]
    assert len(there) == len(set(there)) == 60
    assert names(faces.packed("dataset.split=[0.8,0.1,0.1]")) == names(data)  # a folder above


def test_train_alone_is_divided_as_its_message_says(faces: Faces) -> None:
    faces.split("train", 10)
    told = faces.prepare().sentence
    assert "no val and no test, only train" in told
    assert "dataset.split=[0.8,0.1,0.1]" in told
    assert counts(faces.packed("dataset.split=[0.8,0.1,0.1]")) == {"train": [8, 8], "val": [1, 1], "test": [1, 1]}


def test_a_test_alone(faces: Faces) -> None:
    faces.split("test", 2)
    assert counts(faces.packed()) == {"train": [0, 0], "val": [0, 0], "test": [2, 2]}


@pytest.mark.parametrize(
    ("splits", "words", "told"),
    [
        (("train", "val", "test"), ("dataset.val_share=0.1",), "dataset.val_share=0.1: .*has test, train, val"),
        (("train", "val", "test"), ("dataset.split=[0.8,0.1,0.1]",), "dataset.split is given, but .*splits of its own"),
        (("val", "test"), (), "has no train, only test, val"),
        (("val", "test"), ("dataset.val_share=0.1",), "dataset.val_share=0.1: .*has test, val; expected train"),
        (("train", "test"), ("dataset.val_share=0",), "dataset.val_share=0: expected a share above 0"),
        (("train", "test"), ("dataset.val_share=1.5",), "dataset.val_share=1.5: expected a share above 0"),
        (("train", "test"), ("dataset.val_share=a",), "dataset.val_share=a: expected a share, such as 0.1"),
        (("train", "test"), ("dataset.val_share=nan",), "dataset.val_share=nan: expected a share above 0"),
        ((".",), ("dataset.split=[0.8,0.1]",), r"dataset.split=\[0.8, 0.1\]: expected three shares"),
        ((".",), ("dataset.split=[0.8,0.1,0.2]",), r"dataset.split=.* which add up to 1"),
        ((".",), ("dataset.split=[1,0,0]",), r"dataset.split=.* which add up to 1"),
        ((".",), ("dataset.split=[nan,0.5,0.5]",), r"dataset.split=.* which add up to 1"),
        ((".",), ("dataset.split=0.8",), r"dataset.split=0.8: expected three shares"),
        ((".",), ("dataset.split=[a,b,c]",), r"dataset.split=.*: expected three shares"),
        ((".",), ("dataset.split=[0.8,0.1,0.1]", "dataset.split_seed=-1"), "dataset.split_seed=-1: expected a whole"),
        ((".",), ("dataset.split=[0.8,0.1,0.1]", "dataset.group=(S"), r"dataset.group=\(S is no regular expression"),
        ((".",), ("dataset.split=[0.8,0.1,0.1]", "dataset.group=S[0-9]+"), r"dataset.group=S.* is found in no picture"),
        ((".",), ("dataset.split=[0.1,0.45,0.45]",), "leaves the train split without pictures"),
    ],
    ids=str,
)
def test_splits_that_cannot_be_made(faces: Faces, splits: tuple[str, ...], words: tuple[str, ...], told: str) -> None:
    for split in splits:
        faces.split(split, 2)
    sentence = faces.prepare(*words).sentence
    assert re.search(told, sentence), sentence
    assert not (faces.folder / "data").exists()


# ----------------------------------------------------------------------------------------- what stays together


def test_near_duplicates_are_never_parted(faces: Faces) -> None:
    """Of each of 16 faces a copy, a mirrored and a moved one: in the same split as the face itself."""
    sets = {}
    for number, image in enumerate(textures(16, 5, (48, 48))):
        kin = (image, image, image[:, ::-1], np.pad(image, 2, mode="edge")[4:, 1:49])
        paths = [f"{CLASSES[number % 2]}/{number}{letter}.png" for letter in "abcd"]
        for path, one in zip(paths, kin, strict=True):
            faces.add(path, image=np.ascontiguousarray(one))
        sets[number] = set(paths)
    for seed in range(3):
        data = faces.packed("dataset.split=[0.5,0.25,0.25]", f"dataset.split_seed={seed}")
        for kin in sets.values():
            assert any(kin <= split for split in names(data).values())
        assert counts(data) == {"train": [16, 16], "val": [8, 8], "test": [8, 8]}
        audit = data.manifest["audit"]
        assert audit["groups_across_splits"] == 0
        assert set(audit["shifted"]["across"].values()) == set(audit["mirrored"]["across"].values()) == {0}


@pytest.mark.parametrize("pattern", ["^S[0-9]+", r"^(S\d{3})_", "S..."])
def test_a_person_is_never_parted(faces: Faces, pattern: str) -> None:
    """Named as in CK+: S010_004_00000017.png; the people have 2 to 6 pictures."""
    people = {f"S{person:03}": 2 + person % 5 for person in range(10, 30)}
    for person, count in people.items():
        faces.add(*(f"{CLASSES[n % 2]}/{person}_{n:03}_000000{n}7.png" for n in range(count)))
    data = faces.packed("dataset.split=[0.6,0.2,0.2]", f"dataset.group={pattern}")
    in_splits = [{name.split("/")[1][:4] for name in split} for split in names(data).values()]
    assert sum(map(len, in_splits)) == len(set.union(*in_splits)) == len(people)
    total = sum(people.values())
    for split, share in zip(counts(data).values(), (0.6, 0.2, 0.2), strict=True):
        assert abs(sum(split) - share * total) <= max(people.values())
    assert data.manifest["source"]["splitting"]["group"] == pattern


@pytest.mark.parametrize(
    ("people", "layout", "asked"),
    [
        (5, "", "dataset.split=[0.8,0.1,0.1]"),
        (5, "", "dataset.split=[0.1,0.1,0.8]"),
        (3, "", "dataset.split=[0.9,0.05,0.05]"),
        (2, "train/", "dataset.val_share=0.1"),
    ],
)
def test_shares_that_would_do_are_said_and_do(faces: Faces, people: int, layout: str, asked: str) -> None:
    """Of few people, each with 20 pictures, a small share gets none."""
    for person in range(people):
        faces.add(*(f"{layout}{CLASSES[n % 2]}/S{person}_{n}.png" for n in range(20)))
    if layout:
        faces.split("test", 1)
    sentence = faces.prepare(asked, "dataset.group=^S[0-9]").sentence
    assert f"{asked} leaves the " in sentence
    assert f"{people} sets of pictures" in sentence
    (advice,) = re.findall(r"These shares would do: '(.*)'", sentence)
    found = counts(faces.packed(advice, "dataset.group=^S[0-9]"))
    assert min(min(of) for of in found.values()) > 0
    assert found["train"][0] >= found["val"][0]


def test_no_shares_that_would_do(faces: Faces) -> None:
    for person in range(2):
        faces.add(*(f"{CLASSES[n % 2]}/S{person}_{n}.png" for n in range(4)))
    sentence = faces.prepare("dataset.split=[0.8,0.1,0.1]", "dataset.group=^S[0-9]").sentence
    assert "No shares would do" in sentence


def test_a_class_of_one_person_that_training_would_lack(faces: Faces) -> None:
    faces.add(*(f"calm/S0_{n}.png" for n in range(4)), *(f"tense/{n}.png" for n in range(20)))
    sentence = faces.prepare("dataset.split=[0.2,0.2,0.6]", "dataset.group=^S[0-9]").sentence
    assert "leaves train without pictures of some class" in sentence
    (advice,) = re.findall(r"These shares would do: '(.*)'", sentence)
    assert counts(faces.packed(advice, "dataset.group=^S[0-9]"))["train"][0] == 4


def test_a_group_that_changes_nothing_is_said_aloud(faces: Faces) -> None:
    for split in ("train", "val", "test"):
        faces.split(split, 1)
    assert "dataset.group changes nothing" in flat(faces.prepare("dataset.group=^S"))


# ------------------------------------------------------------------------------------------------ lists in a csv


def listed(faces: Faces, splits: bool = True) -> list[list[str]]:
    """Rows of path, label and split of 12 pictures in one folder."""
    paths = [f"all/{number}.png" for number in range(12)]
    faces.add(*paths)
    parts = ["train"] * 6 + ["Valid"] * 2 + ["TEST"] * 4
    rows = [[path, CLASSES[number % 2], parts[number]] for number, path in enumerate(paths)]
    return rows if splits else [row[:2] for row in rows]


def as_text(header: list[str], rows: list[list[str]], delimiter: str = ",") -> str:
    return "".join(delimiter.join(row) + "\n" for row in [header, *rows])


ENCODINGS: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "plain": ("faces.csv", str.encode),
    "capitals": ("FACES.CSV", lambda text: text.replace("path,label", "Path, Label").encode()),
    "BOM and CRLF": ("faces.csv", lambda text: text.replace("\n", "\r\n").encode("utf-8-sig")),
    "UTF-16": ("faces.csv", lambda text: text.encode("utf-16")),
    "UTF-16, big end first": ("faces.csv", lambda text: b"\xfe\xff" + text.encode("utf-16-be")),
    "semicolons": ("faces.csv", lambda text: text.replace(",", ";").encode()),
    "tabs": ("faces.csv", lambda text: text.replace(",", "\t").encode()),
    "gzip": ("faces.csv.gz", lambda text: gzip.compress(text.encode())),
    "empty lines": ("faces.csv", lambda text: text.replace("\n", "\n\n").encode()),
}


@pytest.mark.parametrize("form", ENCODINGS)
@pytest.mark.parametrize("inside", [False, True], ids=["the csv", "its folder"])
def test_a_csv_that_lists_pictures(faces: Faces, form: str, inside: bool) -> None:
    rows = listed(faces)
    name, encoded = ENCODINGS[form]
    faces.write(name, encoded(as_text(["path", "label", "split"], rows)))
    data = faces.packed(source=faces.source if inside else faces.source / name)
    assert counts(data) == {"train": [3, 3], "val": [1, 1], "test": [2, 2]}
    assert names(data)["val"] == {"all/6.png", "all/7.png"}


def test_a_csv_without_splits_and_with_groups(faces: Faces) -> None:
    rows = [[*row, f"person{number // 2}"] for number, row in enumerate(listed(faces, splits=False))]
    faces.write("list.csv", as_text(["path", "label", "group"], rows).encode())
    source = faces.source / "list.csv"
    assert "dataset.split=[0.8,0.1,0.1]" in faces.prepare(source=source).sentence
    data = faces.packed("dataset.split=[0.5,0.25,0.25]", source=source)
    for split in names(data).values():
        people = Counter(int(name.removeprefix("all/").removesuffix(".png")) // 2 for name in split)
        assert set(people.values()) == {2}


def test_csvs_named_after_the_splits(faces: Faces) -> None:
    rows = listed(faces)
    for name, chosen in (("Train", rows[:6]), ("validation", rows[6:8]), ("test", rows[8:])):
        faces.write(f"{name}.csv", as_text(["path", "label"], [row[:2] for row in chosen]).encode())
    assert counts(faces.packed()) == {"train": [3, 3], "val": [1, 1], "test": [2, 2]}
    (faces.source / "validation.csv").unlink()
    assert "dataset.val_share=0.1" in faces.prepare().sentence
    assert counts(faces.packed("dataset.val_share=0.34")) == {"train": [2, 2], "val": [1, 1], "test": [2, 2]}


def test_other_csvs_beside_class_folders_do_not_count(faces: Faces) -> None:
    for split in ("train", "val", "test"):
        faces.split(split, 1)
    faces.write("train_labels.csv", b"image,label\n0.png,1\n")
    faces.write("broken.csv", b"\xff\xfe\xd8")
    data = faces.packed()
    assert counts(data) == {"train": [1, 1], "val": [1, 1], "test": [1, 1]}
    assert data.manifest["left_out"] == {"file or folder beside those of the splits": 2}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("path,emotion\nall/0.png,calm\n", r"lacks the column label \(it has path, emotion\)"),
        ("path,label,split\nall/0.png,calm,evaluation\n", r"line 2\) .* the split 'evaluation'. Expected one of"),
        ("path,label,split\nall/0.png,calm,train\nall/1.png,tense\n", r"\(line 3\) of .* has 2 columns, expected 3"),
        ("path,label,split\nall/0.png,calm,train\nall/1.png,tense,\n", "gives some pictures a split and others none"),
        ("path,label\nall/0.png,\n", r"\(line 2\) of .* has no path or no label"),
        ("path,label,split\nall/0.png,calm,train\nall/99.png,tense,train\n", "all/99.png cannot be read: No such file"),
        ("path,label\n", "lists no pictures"),
        ("", "lacks the column path, label"),
    ],
    ids=str,
)
def test_csvs_that_cannot_be_used(faces: Faces, rows: str, told: str) -> None:
    listed(faces)
    faces.write("list.csv", rows.encode())
    words = ("dataset.split=[0.8,0.1,0.1]",) if ",split" not in rows else ()
    if "99" in rows:
        rows += "all/2.png,calm,val\nall/3.png,calm,test\n"
        faces.write("list.csv", rows.encode())
    sentence = faces.prepare(*words, source=faces.source / "list.csv").sentence
    assert re.search(told, sentence), sentence
    assert not (faces.folder / "data").exists()


def test_an_archive_is_to_be_unpacked(faces: Faces) -> None:
    faces.folder.joinpath("faces").mkdir()
    with zipfile.ZipFile(faces.source / "faces.zip", "w") as archive:
        archive.writestr("train/calm/0.png", b"")
    assert faces.prepare(source=faces.source / "faces.zip").sentence.endswith("Unpack it first.")


# --------------------------------------------------------------------------------- FER2013 in the forms of its users


@pytest.fixture(scope="module")
def few() -> list[Picture]:
    return list(pictures((2, 1, 1)))


@pytest.fixture(scope="module")
def original(few: list[Picture], tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_fer2013_csv(tmp_path_factory.mktemp("few") / "fer2013.csv", few).read_text()


@pytest.fixture(scope="module")
def plain(original: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("plain")
    (folder / "fer2013.csv").write_text(original)
    return arrays(pack(folder / "fer2013.csv", folder / "data", Fer2013Reader()))


def arrays(data: PackedData) -> dict[str, bytes]:
    return {
        f"{split}/{name}": (data.root / split / f"{name}.npy").read_bytes()
        for split in data.splits
        for name in ("images", "labels")
    }


FER2013: dict[str, Callable[[str], dict[str, bytes]]] = {
    "gzip": lambda text: {"fer2013.csv.gz": gzip.compress(text.encode())},
    "UTF-16": lambda text: {"fer2013.csv": text.encode("utf-16")},
    "semicolons": lambda text: {"fer2013.csv": text.replace(",", ";").encode()},
    "floats": lambda text: {"fer2013.csv": with_float_labels(text).encode()},
    "train, val and test": lambda text: parts(text, "emotion,pixels,Usage"),
    "without Usage": lambda text: parts(text, "emotion,pixels"),
    "in capitals": lambda text: {name.upper(): data for name, data in parts(text, "emotion,pixels").items()},
    "from a Mac": lambda text: {"fer2013.csv": text.encode(), "__MACOSX/._fer2013.csv": APPLEDOUBLE},
    "beside a csv that is none": lambda text: {"fer2013.csv": text.encode(), "broken.csv": bytes(range(128, 256))},
}


def with_float_labels(text: str) -> str:
    head, *rows = text.splitlines()
    return "\n".join([head, *(row.replace(",", ".0,", 1) for row in rows)])


def parts(text: str, header: str) -> dict[str, bytes]:
    """train.csv, val.csv and test.csv."""
    rows = [row.split(",") for row in text.splitlines()[1:]]
    usages = {"train.csv": "Training", "val.csv": "PublicTest", "test.csv": "PrivateTest"}
    width = header.count(",") + 1
    return {
        name: as_text(header.split(","), [row[:width] for row in rows if row[2] == usage]).encode()
        for name, usage in usages.items()
    }


@pytest.mark.parametrize("form", FER2013)
@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_fer2013_csvs_give_the_same_arrays(
    faces: Faces, original: str, plain: dict[str, bytes], form: str, zipped: bool
) -> None:
    for name, data in FER2013[form](original).items():
        faces.write(name, data)
    source = faces.source
    if zipped:
        with zipfile.ZipFile(faces.folder / "a.zip", "w") as archive:
            for path in (path for path in source.rglob("*") if path.is_file()):
                archive.write(path, path.relative_to(source))
        source = faces.folder / "a.zip"
    assert arrays(faces.packed(source=source, dataset="fer2013")) == plain


@pytest.mark.parametrize("ending", [".JPG", ".jpeg", ".Jpg"])
def test_fer2013_pictures_with_endings_in_any_case(faces: Faces, few: list[Picture], ending: str) -> None:
    for number, one in enumerate(few):
        end = ending if number % 2 else Path(one.file).suffix
        faces.write(f"{one.folder}/{Path(one.file).stem}{end}", one.data)
    faces.write(f"__MACOSX/{few[0].folder}/._{few[0].file}", APPLEDOUBLE)
    faces.write("Thumbs.db", b"x")
    data = faces.packed(dataset="fer2013")
    assert [len(packed) for packed in data.splits.values()] == [14, 7, 7]
    assert data.manifest["left_out"] == {LITTER: 2}


def test_an_incomplete_fer2013_is_said_aloud(faces: Faces, few: list[Picture]) -> None:
    source = write_zip(faces.folder / "a.zip", [one for one in few if one.emotion != "disgust"])
    said = flat(faces.prepare(source=source, dataset="fer2013"))
    assert "is not the whole of FER2013: it has 12 of 28,709 in train, 6 of 3,589 in val, 6 of 3,589 in test." in said
    assert "has no training picture of disgust." in said


def test_a_part_of_fer2013_names_the_whole(faces: Faces, original: str) -> None:
    files = parts(original, "emotion,pixels")
    faces.write("train.csv", files["train.csv"])
    faces.write("test.csv", b"pixels\n0 0\n")  # Kaggle's
    for source in (faces.source, faces.source / "train.csv"):
        told = faces.prepare(source=source, dataset="fer2013").sentence
        assert "is a part of FER2013" in told
        assert "icml_face_data.csv" in told
        assert "train.csv, val.csv and test.csv in one folder" in told
    for name, data in files.items():
        faces.write(name, data)
    assert len(faces.packed(dataset="fer2013").splits["val"]) == 7  # as it says


def test_pictures_of_fer2013_as_a_folder_of_one_s_own(faces: Faces, few: list[Picture]) -> None:
    """train and test, as Kaggle has them, by the folders' names alone."""
    write_folder(faces.source, few)
    data = faces.packed("dataset.val_share=0.5", f"classes=[{','.join(EMOTIONS)}]")
    assert counts(data) == {"train": [1] * 7, "val": [1] * 7, "test": [2] * 7}


# ------------------------------------------------------------------------------------- what systems leave lying about


def test_what_systems_leave_is_passed_over_and_counted(faces: Faces) -> None:
    for split in ("train", "val", "test"):
        faces.split(split, 2)
    for path in (
        "__MACOSX/train/calm/._0.png", ".DS_Store", "train/.DS_Store", "train/calm/._0.png", "train/calm/Thumbs.db",
        "val/tense/desktop.ini", "test/._calm",
    ):  # fmt: skip
        faces.write(path, APPLEDOUBLE)
    faces.write("train/calm/.hidden.png", b"x")
    data = faces.packed()
    assert data.classes == CLASSES
    assert counts(data) == {"train": [2, 2], "val": [2, 2], "test": [2, 2]}
    assert data.manifest["left_out"] == {LITTER: 7, "hidden file": 1}


def test_links_are_followed(faces: Faces) -> None:
    faces.split("train", 2)
    faces.split("test", 2)
    faces.add("elsewhere/0.png")
    (faces.source / "val").mkdir()
    (faces.source / "elsewhere").rename(faces.folder / "elsewhere")
    for name in CLASSES:
        (faces.source / "val" / name).symlink_to(faces.folder / "elsewhere")
    (faces.source / "train" / "calm" / "link.png").symlink_to(faces.folder / "elsewhere" / "0.png")
    (faces.folder / "link").symlink_to(faces.source)
    data = faces.packed(source=faces.folder / "link")
    assert counts(data) == {"train": [3, 2], "val": [1, 1], "test": [2, 2]}


def test_links_that_lead_nowhere_or_in_a_circle(faces: Faces, few: list[Picture]) -> None:
    for split in ("train", "val", "test"):
        faces.split(split, 1)
    link = faces.source / "train" / "calm" / "link.png"
    link.symlink_to("nowhere.png")
    assert "link.png cannot be read: No such file" in faces.prepare().sentence
    link.unlink()
    link.symlink_to(faces.source / "train")
    assert "is a folder inside a class folder" in faces.prepare().sentence
    circle = faces.folder / "circle"
    circle.mkdir()
    (circle / "around").symlink_to(circle)
    assert "circle" in faces.prepare(source=circle).sentence
    write_folder(circle, few)
    assert "Remove the link" in faces.prepare(source=circle, dataset="fer2013").sentence


@pytest.mark.parametrize("path", [b"train/calm/caf\xe9.png", b"train/caf\xe9/0.png"])
def test_names_that_are_no_utf8(faces: Faces, path: bytes) -> None:
    for split in ("train", "val", "test"):
        faces.split(split, 1)
    faces.write(os.fsdecode(path), encode(next(faces.images), "PNG"))
    told = faces.prepare().sentence
    assert "has a name that is not UTF-8. Rename it." in told
    (faces.source / os.fsdecode(path)).rename(faces.source / "train/calm/café.png")
    if path.endswith(b"0.png"):
        (faces.source / os.fsdecode(path)).parent.rmdir()
    assert "calm/café.png" in names(faces.packed())["train"]  # as it says


def test_line_breaks_in_names(faces: Faces) -> None:
    for split in ("train", "val", "test"):
        faces.split(split, 1)
    faces.add("train/calm/a\nb.png")
    assert "has a line break or a zero byte in its name. Rename it." in faces.prepare().sentence


def test_read_only_folders(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("train", "val", "test"):
        faces.split(split, 1)
    folders = [faces.source, *(path for path in faces.source.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        assert counts(faces.packed()) == {"train": [1, 1], "val": [1, 1], "test": [1, 1]}
    finally:
        for path in folders:
            path.chmod(0o755)
    listing = Path.iterdir

    def refused(path: Path) -> Iterator[Path]:  # a superuser is refused nothing
        if path.name == "tense":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(Path, "iterdir", refused)
    assert "tense cannot be read: Permission denied" in faces.prepare().sentence


@pytest.mark.parametrize("there", ["/sys/kernel", "file", "file/data"])
def test_data_where_nobody_can_write(faces: Faces, there: str) -> None:
    for split in ("train", "val", "test"):
        faces.split(split, 1)
    (faces.folder / "file").write_text("no folder")
    place = faces.folder / there  # the first is a folder of Linux in which not even a superuser may write
    told = faces.prepare(f"paths.data={place}").sentence
    assert f"{place}/mine cannot be written" in told
    assert "name another place (paths.data, paths.outputs)" in told
    assert counts(faces.packed(f"paths.data={faces.folder / 'other'}"))["train"] == [1, 1]  # as it says


# ---------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("typed", "classes"),
    [
        ("[null,smile]", ("null", "smile")),
        ("[true,false]", ("true", "false")),
        ("[1,01]", ("1", "01")),
        ("[dégoût,joie]", ("dégoût", "joie")),
        (unicodedata.normalize("NFD", "[dégoût,joie]"), ("dégoût", "joie")),
        ("[平静,紧张]", ("平静", "紧张")),
        ("[so so,'a,b']", ("so so", "a,b")),
        ("[it's,[x]]", ("it's", "[x]")),
        ("[/b,c]", None),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_of_classes(faces: Faces, typed: str, classes: tuple[str, ...] | None, form: str) -> None:
    if classes is None:
        faces.split("train", 1)
        assert "is no name of a folder" in faces.prepare(f"classes={typed}").sentence
        return
    for split in ("train", "val", "test"):
        faces.split(split, 1, [unicodedata.normalize(form, name) for name in classes])
    data = faces.packed(f"classes={typed}")
    assert data.classes == classes
    assert counts(data) == {"train": [1, 1], "val": [1, 1], "test": [1, 1]}


def test_classes_left_out_are_those_of_the_folders_and_printed(faces: Faces) -> None:
    for split in ("train", "val", "test"):
        faces.split(split, 1, ["tense", "calm", "so so"])
    shown = faces.prepare()
    assert "Classes, as they are found: calm, so so, tense." in shown.out
    assert "'classes=[calm,so so,tense]'" in shown.out
    assert load_packed(faces.folder / "data" / "mine").classes == ("calm", "so so", "tense")
    other = faces.packed("classes=[tense,calm,so so]")
    assert other.classes == ("tense", "calm", "so so")


@pytest.mark.parametrize(
    "name", ["../outside", "a/b", "..", ".hidden", "a+b", "a@b", "/tmp/x", "con", "NUL.txt", "a:b", "x" * 101, "''"]
)
def test_names_that_leave_the_data_folder(faces: Faces, name: str) -> None:
    for split in ("train", "val", "test"):
        faces.split(split, 1)
    before = sorted(faces.folder.rglob("*"))
    told = faces.prepare(f"dataset.name={name}" if name == "''" else f"dataset.name='{name}'").sentence
    assert "expected a plain name for a folder" in told
    assert sorted(faces.folder.rglob("*")) == before


def test_another_dataset_is_not_replaced(faces: Faces, few: list[Picture]) -> None:
    csv = write_fer2013_csv(faces.folder / "fer2013.csv", few)
    faces.packed("dataset.name=fer2013", source=csv, dataset="fer2013")
    manifest = faces.folder / "data" / "fer2013" / "manifest.json"
    before = manifest.read_bytes()
    for split in ("train", "val", "test"):
        faces.split(split, 1)
    told = faces.prepare("dataset.name=fer2013").sentence
    assert "holds data of dataset=fer2013" in told
    assert "Give another dataset.name" in told
    assert manifest.read_bytes() == before
    faces.packed("dataset.name=mine")  # as it says
    assert json.loads(manifest.read_text())["classes"] == list(EMOTIONS)
    told = faces.prepare("dataset.name=mine", source=csv, dataset="fer2013").sentence
    assert "holds data of dataset=folder" in told
