"""MaskFer of drawn faces, which needs no dlib; and as its author released it."""

import csv
import re
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from composing import composed
from PIL import Image

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.data.landmarks import maskfer
from fer_perturb.data.landmarks.maskfer import MaskFerMaker
from fer_perturb.data.landmarks.released_maskfer import read_released
from fer_perturb.data.occlusion.occluder import Occluder
from fer_perturb.data.packed import RawSplit, load_packed, write_packed
from fer_perturb.data.packing import make, pack
from fer_perturb.data.readers.drawn_faces import DrawnFacesMaker
from fer_perturb.errors import UserError
from fer_perturb.experiment.dataset import open_dataset
from fer_perturb.experiment.other_datasets import other_datasets
from fer_perturb.files import write_npy
from fer_perturb.prepare import prepare
from fer_perturb.report.contact_sheet import contact_sheet
from fer_perturb.report.figures import save_figure

COUNTS = {"train": 30, "val": 8, "test": 9}


@pytest.fixture
def drawn(tmp_path):
    return make(tmp_path / "data" / "synthetic", DrawnFacesMaker(seed=0, **COUNTS))


def arrays(data):
    return {name: of["sha256"] for name, of in data.manifest["arrays"].items()}


def test_the_same_faces_in_the_same_splits(drawn, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)  # drawn faces need none
    masked = make(tmp_path / "data" / "maskfer", MaskFerMaker(drawn, unplaced="mean", workers=1))
    for split, of in masked.splits.items():
        own = drawn.splits[split]
        assert sorted(of.names) == sorted(own.names)
        of_which = masked.extra(split, "unmasked")
        by_identity = dict(zip(own.identities().tolist(), range(len(own)), strict=True))
        for row in range(len(of)):
            source = by_identity[of_which[row]]
            assert of.names[row] == own.names[source]
            assert of.labels[row] == own.labels[source]
            assert np.array_equal(of.landmarks[row], own.landmarks[source])
            assert (of.images[row] != own.images[source]).mean() > 0.05
    assert masked.manifest["source"]["landmarks"] == drawn.landmarks_identity


def test_the_number_of_processes_and_the_order_of_the_source_change_nothing(drawn, tmp_path, monkeypatch):
    one = make(tmp_path / "one", MaskFerMaker(drawn, unplaced="mean", workers=1))
    monkeypatch.setattr(maskfer, "CHUNK", 7)
    two = make(tmp_path / "two", MaskFerMaker(drawn, unplaced="mean", workers=2))
    backwards = {name: of.rows(np.arange(len(of))[::-1]) for name, of in drawn.splits.items()}
    three = make(tmp_path / "three", MaskFerMaker(replace(drawn, splits=backwards), unplaced="mean", workers=1))
    assert arrays(one) == arrays(two) == arrays(three)


def test_found_again_unless_something_changed(drawn, tmp_path):
    root = tmp_path / "data" / "maskfer"
    make(root, MaskFerMaker(drawn, unplaced="mean", workers=1))
    before = (root / "manifest.json").stat().st_mtime_ns
    make(root, MaskFerMaker(drawn, unplaced="mean", workers=1))
    assert (root / "manifest.json").stat().st_mtime_ns == before
    make(root, MaskFerMaker(drawn, unplaced="drop", workers=1))
    assert (root / "manifest.json").stat().st_mtime_ns != before
    assert load_packed(root).manifest["left_out"] == {"face that could not be placed": 0}


def test_faces_that_could_not_be_placed_are_left_out_on_request(drawn, tmp_path):
    """Photographs: dlib places their landmarks; the first two images of train have no face."""
    splits = {name: RawSplit(of.images[:], of.labels, of.names) for name, of in drawn.splits.items()}
    blank = splits["train"].images.copy()
    blank[:2] = np.array([10, 20], dtype=np.uint8)[:, None, None]
    splits["train"] = RawSplit(blank, splits["train"].labels, splits["train"].names)
    photographs = write_packed(tmp_path / "data" / "photographs", "photographs", EMOTIONS, splits, {})
    every = make(tmp_path / "data" / "every", MaskFerMaker(photographs, unplaced="mean", workers=1))
    photographs = load_packed(photographs.root)
    unplaced = {split: int((~photographs.placed(split)).sum()) for split in photographs.splits}
    assert unplaced["train"] >= 2
    assert [len(of) for of in every.splits.values()] == [30, 8, 9]
    kept = make(tmp_path / "data" / "kept", MaskFerMaker(photographs, unplaced="drop", workers=1))
    assert [len(of) for of in kept.splits.values()] == [
        n - k for n, k in zip((30, 8, 9), unplaced.values(), strict=True)
    ]
    assert kept.manifest["left_out"] == {"face that could not be placed": sum(unplaced.values())}
    assert set(kept.splits["train"].names) < set(every.splits["train"].names)


def test_the_command(drawn, tmp_path, capsys):
    given = (f"paths.data={drawn.root.parent}", "dataset=maskfer", "dataset.of=synthetic")
    assert prepare(composed(*given, name="prepare")) == drawn.root.parent / "maskfer"
    printed = capsys.readouterr().out
    assert "could not be placed: they wear the mask of the mean shape" in " ".join(printed.split())
    assert printed.count("could not be placed") == 1
    assert len(re.findall(r"│ 0 ", printed)) >= 3  # none of each class
    with pytest.raises(UserError, match=r"dataset.unplaced=some: expected mean or drop"):
        prepare(composed(*given, "dataset.unplaced=some", name="prepare"))
    with pytest.raises(UserError, match=r"(?s)No prepared data.*fer_perturb.prepare dataset=fer2013 source="):
        prepare(composed(f"paths.data={tmp_path}", "dataset=maskfer", name="prepare"))


def test_a_source_is_not_overwritten_by_its_own_masks(drawn, tmp_path):
    before = arrays(drawn)
    with pytest.raises(UserError, match=r"expected the unmasked faces in dataset.of, and another dataset.name"):
        make(drawn.root, MaskFerMaker(drawn, unplaced="mean", workers=1))
    masked = make(tmp_path / "data" / "maskfer", MaskFerMaker(drawn, unplaced="mean", workers=1))
    with pytest.raises(UserError, match="expected the unmasked faces"):
        make(tmp_path / "data" / "twice", MaskFerMaker(masked, unplaced="mean", workers=1))
    assert arrays(load_packed(drawn.root)) == before


def test_new_labels_or_names_make_it_anew(drawn, tmp_path):
    root = tmp_path / "data" / "maskfer"
    first = make(root, MaskFerMaker(drawn, unplaced="mean", workers=1))
    splits = {
        name: RawSplit(of.images[:], of.labels, [f"other{k}" for k in of.names], {"landmarks": of.landmarks[:]})
        for name, of in drawn.splits.items()
    }
    renamed = write_packed(tmp_path / "data" / "renamed", "synthetic", EMOTIONS, splits, {})
    again = make(root, MaskFerMaker(renamed, unplaced="mean", workers=1))
    assert {name.startswith("other") for name in again.splits["test"].names} == {True}
    assert [image.tobytes() for image in again.splits["test"].images] == [
        image.tobytes() for image in first.splits["test"].images
    ]


def test_masked_faces_have_the_identities_of_their_pictures(drawn, tmp_path):
    """So twins are found, and pairs are paired, across the two."""
    masked = make(tmp_path / "data" / "maskfer", MaskFerMaker(drawn, unplaced="mean", workers=1))
    for split, of in masked.splits.items():
        own = dict(zip(drawn.splits[split].names, drawn.splits[split].identities().tolist(), strict=True))
        assert [own[name] for name in of.names] == of.identities().tolist()


def test_votes_go_with_the_faces_and_change_nothing_else(drawn, tmp_path):
    splits, root = {}, tmp_path / "data" / "maskfer"
    for name, of in drawn.splits.items():
        votes = np.random.default_rng(len(of)).integers(0, 10, (len(of), 10), dtype=np.uint8)
        splits[name] = RawSplit(of.images, of.labels, of.names, {"landmarks": of.landmarks}, {"votes": votes})
    plain = {name: replace(of, beside={}) for name, of in splits.items()}
    faces = write_packed(tmp_path / "data" / "faces", "faces", EMOTIONS, plain, {})
    before = make(root, MaskFerMaker(faces, unplaced="mean", workers=1))
    assert not before.votes_identity
    faces = write_packed(tmp_path / "data" / "faces", "faces", EMOTIONS, splits, {})
    masked = make(root, MaskFerMaker(faces, unplaced="mean", workers=1))  # the same command adds them
    assert masked.identity == before.identity
    for name, of in masked.splits.items():
        votes = dict(zip(splits[name].names, splits[name].beside["votes"].tolist(), strict=True))
        assert of.votes.tolist() == [votes[face] for face in of.names]
    written = (root / "manifest.json").stat().st_mtime_ns
    make(root, MaskFerMaker(faces, unplaced="mean", workers=1))
    assert (root / "manifest.json").stat().st_mtime_ns == written
    # other votes are others
    splits["val"] = replace(splits["val"], beside={"votes": splits["val"].beside["votes"] + 1})
    others = write_packed(faces.root, "faces", EMOTIONS, splits, {})
    other = make(root, MaskFerMaker(others, unplaced="mean", workers=1))
    assert other.votes_identity != masked.votes_identity


def test_what_it_was_made_with_must_be_what_is_asked(drawn, tmp_path):
    given = (f"paths.data={drawn.root.parent}", "dataset=maskfer", "dataset.of=synthetic")
    prepare(composed(*given, name="prepare"))
    open_dataset(composed(*given))
    with pytest.raises(UserError, match=r"made with dataset.unplaced=mean, and not with drop.*dataset.of=synthetic"):
        open_dataset(composed(*given, "dataset.unplaced=drop"))
    with pytest.raises(UserError, match=r"made with dataset.of=synthetic, and not with fer2013"):
        open_dataset(composed(*given[:2]))
    on_it = composed(given[0], "dataset=folder", "dataset.name=synthetic", "dataset.unplaced=drop", "test_on=[maskfer]")
    with pytest.raises(UserError, match=r"made with dataset.unplaced=mean, and not with drop"):
        other_datasets(on_it, drawn)


def test_the_contact_sheet_shows_every_class(drawn, tmp_path):
    figure = contact_sheet(drawn, "train", 16, seed=0)
    titles = [axis.get_title() for axis in figure.axes]
    assert set(EMOTIONS) & set(titles) == set(titles) - {""}
    assert len([title for title in titles if title]) == 16
    occluded = contact_sheet(drawn.occluded(Occluder.from_name("mouth")), "train", 3, seed=0)
    shown = np.asarray(occluded.axes[0].images[0].get_array())
    assert (shown[:, :48] != shown[:, 48:]).mean() == pytest.approx(0.06, abs=0.04)  # a mouth's share
    with pytest.raises(UserError, match="split=tset: expected one of train, val, test"):
        contact_sheet(drawn, "tset", 3, seed=0)
    with pytest.raises(UserError, match="count=0: expected at least one face"):
        contact_sheet(drawn, "test", 0, seed=0)
    save_figure(figure, tmp_path / "sheet.png")
    assert np.asarray(Image.open(tmp_path / "sheet.png").convert("L")).std() > 20


# as the author released it


@pytest.fixture
def released(drawn, tmp_path):
    """Drawn faces in the author's forms: `listed` with dataset.csv, `sorted` in folders with classes.txt."""
    prefixes = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}
    table = []
    for split, of in drawn.splits.items():
        for row, label in enumerate(of.labels):
            name, emotion = f"{prefixes[split]}_{row:05}.jpg", EMOTIONS[label]
            for folder in (tmp_path / "listed" / "images", tmp_path / "sorted" / emotion):
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(of.images[row]).save(folder / name, quality=95)
            table.append({"label": int(label), "path": f"images/{name}", "classes": emotion})
    with (tmp_path / "listed" / "dataset.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["label", "path", "classes"])
        writer.writeheader()
        writer.writerows(table)
    (tmp_path / "sorted" / "classes.txt").write_text("\n".join(EMOTIONS) + "\n")
    return tmp_path


def test_both_released_forms_give_the_same(released, drawn):
    listed, sorted_ = (
        pack(released / form, released / "packed" / form, read_released) for form in ("listed", "sorted")
    )
    assert arrays(listed) == arrays(sorted_)
    assert [len(of) for of in listed.splits.values()] == [30, 8, 9]
    assert listed.manifest["counts"] == drawn.manifest["counts"]
    given = (f"paths.data={released / 'data'}", "dataset=maskfer", f"source={released / 'listed'}")
    assert arrays(load_packed(prepare(composed(*given, name="prepare")))) == arrays(listed)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda root: (root / "dataset.csv").unlink(), "neither dataset.csv nor classes.txt"),
        (lambda root: (root / "dataset.csv").write_text("path,label\n"), "has the columns path, label"),
        (lambda root: put(root, ",angry", ",puzzled"), "row .*'puzzled' is no known class"),
        (lambda root: put(root, ",angry", ",sad"), "row .*label . for .* does not go with earlier rows"),
        (lambda root: put(root, "\n6,", "\n0,"), "row .*label . for .* does not go with earlier rows"),
        (lambda root: put(root, "Training_00003", "Training_09999"), "row .*no picture Training_09999.jpg"),
        (lambda root: (root / "images" / "Training_00004.jpg").write_bytes(b"\xff\xd8"), "Training_00004.jpg is"),
        (lambda root: (root / "dataset.csv").write_text("label,path,classes\n"), "has no rows"),
        (lambda root: Image.new("L", (40, 48)).save(root / "images" / "Training_00005.jpg"), "5.jpg has 40x48 pixels"),
        (lambda root: shutil.rmtree(root), "does not exist"),
    ],
    ids=range(10),
)
def test_what_cannot_be_read_is_said_and_harms_nothing(released, harm, says):
    root = released / "packed"
    before = arrays(pack(released / "listed", root, read_released))
    harm(released / "listed")
    with pytest.raises(UserError, match=says):
        pack(released / "listed", root, read_released)
    assert arrays(load_packed(root)) == before


def test_pictures_of_one_name_are_told_apart_by_their_folders(released):
    """Kaggle's numbers are not unique: one stands for a sad and for a neutral face."""
    root = released / "sorted"
    (root / "classes.txt").unlink()
    first, second = (sorted((root / name).glob("Training_*"))[0] for name in ("happy", "sad"))
    second = second.rename(second.with_name(first.name))
    test = sorted(root.rglob("P*Test_*"))
    label = {name: number for number, name in enumerate(EMOTIONS)}
    lines = [f"{label[path.parent.name]},/home/author/{path.parent.name}/{path.name},{path.parent.name}" for path in
             (first, second, *test)]  # fmt: skip
    (root / "dataset.csv").write_text("\n".join(["label,path,classes", *lines]))
    data = pack(root, released / "packed", read_released)
    train = data.splits["train"]
    found = dict(zip(train.labels.tolist(), train.images, strict=True))
    for path in (first, second):
        assert np.array_equal(found[label[path.parent.name]], np.asarray(Image.open(path)))
    text = (root / "dataset.csv").read_text()
    (root / "dataset.csv").write_text(text.replace(f"author/happy/{first.name}", f"author/{first.name}"))
    with pytest.raises(UserError, match=r"row 1: .* may be .* or .*; expected paths that tell them apart"):
        pack(root, released / "packed", read_released)


def put(root, word, other):
    file = root / "dataset.csv"
    file.write_text(file.read_text().replace(word, other, 1))


def test_landmarks_of_other_images_are_placed_anew(drawn, tmp_path):
    """A stale folder of landmarks beside photographs does not find its way into their masks."""
    splits = {name: RawSplit(of.images[:], of.labels, of.names) for name, of in drawn.splits.items()}
    photographs = write_packed(tmp_path / "data" / "photographs", "photographs", EMOTIONS, splits, {})
    make(tmp_path / "data" / "first", MaskFerMaker(photographs, unplaced="mean", workers=1))
    manifest = photographs.root / "landmarks" / "manifest.json"
    manifest.write_text(
        manifest.read_text().replace(photographs.manifest["arrays"]["val/images.npy"]["sha256"], "0" * 64)
    )
    train = photographs.root / "landmarks" / "train.npy"
    write_npy(train, np.load(train) * 0)
    again = make(tmp_path / "data" / "again", MaskFerMaker(load_packed(photographs.root), unplaced="mean", workers=1))
    assert arrays(again) == arrays(load_packed(tmp_path / "data" / "first"))
