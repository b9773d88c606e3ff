"""FER+'s votes: the rule, the join to each form of FER2013, and what lies beside the labels."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from composing import composed
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_fer2013 import (
    EMOTIONS,
    USAGES,
    Picture,
    pictures,
    with_faults,
    write_csv,
    write_fer2013_csv,
    write_folder,
    write_icml_csv,
    write_zip,
)

from fer_perturb.data.ferplus.labels import CLASSES, agreement, plurality
from fer_perturb.data.ferplus.votes import COLUMNS, SHIPPED, shipped_votes
from fer_perturb.data.packed import PackedData, load_packed
from fer_perturb.data.packed.split import image_identities
from fer_perturb.data.packing import pack
from fer_perturb.data.readers.fer2013.reader import Fer2013Reader
from fer_perturb.data.variant import variant_of
from fer_perturb.errors import UserError
from fer_perturb.experiment.dataset import open_dataset

HEADER = ["Usage", "Image name", *COLUMNS]
LIKE = {"angry": "anger", "happy": "happiness", "sad": "sadness"}  # what FER+ calls them
CONTENT = with_faults(pictures())


def votes_on(content: list[Picture]) -> NDArray[np.uint8]:
    """(N, 10): the same for the same pixels, most of them for an emotion, which is the label for most."""
    votes = np.zeros((len(content), len(COLUMNS)), np.uint8)
    for row, one in enumerate(content):
        random = np.random.default_rng(list(one.pixels[::7, ::7].tobytes()))
        own = COLUMNS.index(LIKE.get(one.emotion, one.emotion))
        np.add.at(votes[row], random.integers(0, 10, 4), 1)
        votes[row, own if random.random() < 0.9 else 8] += 6
    first = {one.pixels.tobytes(): row for row, one in reversed(list(enumerate(content)))}
    return votes[[first[one.pixels.tobytes()] for one in content]]


VOTES = votes_on(CONTENT)


def write_votes(path: Path, content: list[Picture], votes: NDArray[np.uint8]) -> Path:
    rows = [[one.usage, f"fer{n:07}.png", *map(str, votes[n])] for n, one in enumerate(content)]
    return write_csv(path, HEADER, rows)


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small FER2013 takes the place of the real one in the votes that come with the package."""
    identities = image_identities(np.stack([one.pixels for one in CONTENT]))
    splits = np.array([USAGES.index(one.usage) for one in CONTENT], np.uint8)
    numbers = np.array([int(identity[:16], 16) for identity in identities], np.uint64)
    np.savez_compressed(tmp_path / "known.npz", votes=VOTES, splits=splits, identities=numbers)
    monkeypatch.setattr("fer_perturb.data.ferplus.votes.SHIPPED", tmp_path / "known.npz")


def expected() -> dict[bytes, list[int]]:
    return {one.pixels.tobytes(): of.tolist() for one, of in zip(CONTENT, VOTES, strict=True)}


def beside(data: PackedData) -> dict[bytes, list[int]]:
    """Pixels -> the votes that lie beside them, read from the file itself."""
    found = {}
    for name, split in data.splits.items():
        votes = np.load(data.root / name / "votes.npy", allow_pickle=False)
        assert votes.dtype == np.uint8
        assert votes.shape == (len(split), 10)
        found |= {image.tobytes(): of.tolist() for image, of in zip(split.images, votes, strict=True)}
    return found


def arrays(data: PackedData) -> dict[str, bytes]:
    return {name: (data.root / name).read_bytes() for name in data.manifest["arrays"]}


# ------------------------------------------------------------------------------------------------------ the rule


@pytest.mark.parametrize(
    ("votes", "says"),
    [
        ([4, 0, 0, 1, 3, 2, 0, 0, 0, 0], None),  # 4 of the 9 that are not alone
        ([6, 0, 1, 1, 0, 0, 0, 0, 2, 0], "neutral"),
        ([4, 0, 0, 4, 1, 0, 0, 0, 1, 0], None),  # a tie
        ([0, 10, 0, 0, 0, 0, 0, 0, 0, 0], "happy"),
        ([0, 0, 6, 0, 0, 0, 4, 0, 0, 0], "surprise"),
        ([2, 0, 0, 8, 0, 0, 0, 0, 0, 0], "sad"),
        ([2, 0, 0, 0, 8, 0, 0, 0, 0, 0], "angry"),
        ([0, 0, 0, 0, 2, 5, 2, 0, 1, 0], "disgust"),
        ([1, 0, 1, 2, 0, 0, 5, 0, 1, 0], "fear"),
        ([1, 1, 0, 0, 0, 1, 0, 6, 1, 0], "contempt"),
        ([5, 0, 5, 0, 0, 0, 0, 0, 0, 0], None),  # half is not more than half
        ([4, 1, 1, 1, 1, 1, 1, 0, 0, 0], "neutral"),  # the only one that is not an outlier
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], None),
        ([1, 0, 0, 0, 0, 0, 0, 0, 9, 0], None),  # unknown
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], None),  # no face
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], None),
    ],
)
def test_the_rule_by_hand(votes: list[int], says: str | None) -> None:
    (found,) = plurality(np.array([votes], np.uint8)).tolist()
    assert (CLASSES[found] if found >= 0 else None) == says


@given(st.lists(st.lists(st.integers(0, 6), min_size=10, max_size=10), min_size=1, max_size=8))
def test_the_rule_as_it_is_written(votes: list[list[int]]) -> None:
    names = ["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt", "", ""]
    for found, row in zip(plurality(np.array(votes, np.uint8)).tolist(), votes, strict=True):
        kept = [count for count in row if count > 1]
        more_than_half = [name for name, count in zip(names, row, strict=True) if 1 < count > sum(kept) - count]
        assert [CLASSES[found]] == more_than_half if found >= 0 else more_than_half in ([], [""])


def test_agreement_by_hand() -> None:
    votes = np.array([[0, 6, 4, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 5, 0, 5, 0, 0, 0, 0, 0, 0]])
    happy = EMOTIONS.index("happy")
    said = agreement(votes.astype(np.uint8), np.array([happy, happy, EMOTIONS.index("fear")], np.uint8))
    assert (said.images, said.decided) == (2, 1)
    assert (said.voter, said.nobody, said.plurality) == (pytest.approx(0.3), 0.5, 1.0)
    surprised = agreement(votes[:1].astype(np.uint8), np.array([EMOTIONS.index("surprise")], np.uint8))
    assert (surprised.voter, surprised.nobody, surprised.plurality) == (pytest.approx(0.4), 0.0, 0.0)


# ------------------------------------------------------------------------------------- what comes with the package


def test_the_package_has_the_votes_of_all_of_fer2013() -> None:
    shipped = shipped_votes()
    assert np.bincount(shipped.splits).tolist() == [28_709, 3_589, 3_589]
    assert (np.diff(shipped.splits.astype(int)) >= 0).all()
    # as https://github.com/microsoft/FERPlus/blob/master/fer2013new.csv begins; the 18th is no face
    assert shipped.votes[:4].tolist() == [
        [4, 0, 0, 1, 3, 2, 0, 0, 0, 0],
        [6, 0, 1, 1, 0, 0, 0, 0, 2, 0],
        [5, 0, 0, 3, 1, 0, 0, 0, 1, 0],
        [4, 0, 0, 4, 1, 0, 0, 0, 1, 0],
    ]
    assert not shipped.votes[17].any()
    voters = shipped.votes.sum(axis=1, dtype=int)
    assert np.unique(voters, return_counts=True)[1].tolist() == [177, 1, 35_709]  # none, nine, ten
    identities = np.load(SHIPPED, allow_pickle=False)["identities"]
    assert ((identities == 0) == (voters == 0)).all()
    assert SHIPPED.stat().st_size < 450_000
    licence = SHIPPED.with_name("ferplus_LICENSE.txt").read_text()
    assert "Copyright (c) Microsoft Corporation" in licence
    assert "MIT License" in licence


# ------------------------------------------------------------------------------------------------------ the join


@pytest.mark.parametrize("write", [write_zip, write_folder, write_fer2013_csv, write_icml_csv])
def test_every_form_gets_its_votes(known: None, tmp_path: Path, write: Callable[..., Path]) -> None:
    data = pack(write(tmp_path / "source", CONTENT), tmp_path / "data" / "fer2013", Fer2013Reader())
    assert beside(data) == expected()
    assert data.manifest["beside"].keys() == {"train/votes.npy", "val/votes.npy", "test/votes.npy"}


@pytest.mark.parametrize("write", [write_folder, write_fer2013_csv])
def test_a_csv_of_votes_is_read_instead(known: None, tmp_path: Path, write: Callable[..., Path]) -> None:
    """Other votes than those of the package, so that it is seen whose were read."""
    own = np.roll(VOTES, 1, axis=0)
    own[:, 9] += 8
    first = {one.pixels.tobytes(): row for row, one in reversed(list(enumerate(CONTENT)))}
    own = own[[first[one.pixels.tobytes()] for one in CONTENT]]
    path = write_votes(tmp_path / "fer2013new.csv", CONTENT, own)
    source = write(tmp_path / "source", CONTENT)
    data = pack(source, tmp_path / "data" / "fer2013", Fer2013Reader(votes=path))
    assert beside(data) == {one.pixels.tobytes(): of.tolist() for one, of in zip(CONTENT, own, strict=True)}
    assert data.manifest["source"]["votes"]["file"] == "fer2013new.csv"


def test_a_part_of_the_pictures_is_joined_and_a_part_of_a_csv_is_not(
    known: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = [one for number, one in enumerate(CONTENT) if number % 2]
    data = pack(write_folder(tmp_path / "some", some), tmp_path / "pictures", Fer2013Reader())
    assert beside(data) == {one.pixels.tobytes(): expected()[one.pixels.tobytes()] for one in some}
    capsys.readouterr()
    data = pack(write_fer2013_csv(tmp_path / "some.csv", some), tmp_path / "rows", Fer2013Reader())
    assert "Without FER+'s votes" in capsys.readouterr().out
    assert data.manifest["beside"] == {}
    assert data.splits["test"].votes is None


def test_other_pictures_have_no_votes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without `known`, the package's are those of the real FER2013."""
    data = pack(write_folder(tmp_path / "other", CONTENT), tmp_path / "fer2013", Fer2013Reader())
    assert data.votes_identity == {}
    assert "none of its votes belongs to these images" in " ".join(capsys.readouterr().out.split())


def test_rows_in_another_order_are_refused(known: None, tmp_path: Path) -> None:
    """Each csv has the right number of rows and the right Usages; the labels give the order away."""
    of_each = {usage: [n for n, one in enumerate(CONTENT) if one.usage == usage] for usage in USAGES}
    order = np.arange(len(CONTENT))
    for rows in of_each.values():
        order[rows] = np.random.default_rng(0).permutation(rows)
    votes = write_votes(tmp_path / "fer2013new.csv", CONTENT, VOTES[order])
    source = write_fer2013_csv(tmp_path / "fer2013.csv", CONTENT)
    with pytest.raises(UserError, match=r"is the label of only \d+ % of these images.*in the same order"):
        pack(source, tmp_path / "fer2013", Fer2013Reader(votes=votes))
    shuffled = [CONTENT[row] for row in order]
    data = pack(write_fer2013_csv(source, shuffled), tmp_path / "fer2013", Fer2013Reader())
    assert data.votes_identity == {}


ROWS = [[one.usage, "", *map(str, of)] for one, of in zip(CONTENT, VOTES, strict=True)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read (No such file"),
        (b"\xff\x00\xff", "cannot be read"),
        (b"\x1f\x8b\x08\x00 no gzip", "cannot be read"),
        (b"", "lacks the column Usage, neutral"),
        ([["Usage", *COLUMNS[:-1]]], "lacks the column NF"),
        ([HEADER], "has a header, but no row"),
        ([HEADER, *ROWS[:-1]], f"has {len(ROWS) - 1} rows, which are not those of these images ({len(ROWS)})"),
        ([HEADER, *ROWS[::-1]], "with the same Usage, in the same order"),
        ([HEADER, ["Test", *ROWS[0][1:]]], "Row 1 (line 2) of votes="),
        ([HEADER, ROWS[0], [*ROWS[0][:-1], "many"]], "Row 2 (line 3) of votes="),
        ([HEADER, [*ROWS[0][:-1], "-1"]], "has the vote '-1'"),
        ([HEADER, ROWS[0][:-1]], "has 11 columns, expected 12"),
    ],
)
def test_a_csv_of_votes_that_cannot_be_used_is_said(
    known: None, tmp_path: Path, content: bytes | list[list[str]] | None, says: str
) -> None:
    path = tmp_path / "votes.csv"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        write_csv(path, content[0], content[1:])
    source = write_fer2013_csv(tmp_path / "fer2013.csv", CONTENT)
    with pytest.raises(UserError) as raised:
        pack(source, tmp_path / "data" / "fer2013", Fer2013Reader(votes=path))
    assert says in str(raised.value)
    assert not (tmp_path / "data").exists()


def test_votes_as_pandas_writes_them(known: None, tmp_path: Path) -> None:
    """With a joined csv's other columns, 3.0 for 3, semicolons, in UTF-16."""
    path = tmp_path / "joined.csv"
    with path.open("w", newline="", encoding="utf-16") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["emotion", "pixels", *HEADER])
        writer.writerows([[0, "1 2", row[0], row[1], *(f"{count}.0" for count in row[2:])] for row in ROWS])
    source = write_fer2013_csv(tmp_path / "fer2013.csv", CONTENT)
    assert beside(pack(source, tmp_path / "fer2013", Fer2013Reader(votes=path))) == expected()


def test_votes_are_no_source_and_are_said_where_they_are_passed_over(
    known: None, tmp_path: Path, commands: Callable[..., object]
) -> None:
    def prepared(source: Path, *words: str):  # type: ignore[no-untyped-def]
        return commands("prepare", "dataset=fer2013", f"source={source}", f"paths.data={tmp_path / 'data'}", *words)

    votes = write_votes(tmp_path / "fer2013new (1).csv", CONTENT, VOTES)
    assert "votes=fer2013new (1).csv" in prepared(votes).sentence
    joined = tmp_path / "joined.csv"
    plain = list(csv.reader(write_fer2013_csv(tmp_path / "plain.csv", CONTENT).open()))[1:]
    rows = [[*row, *map(str, of)] for row, of in zip(plain, VOTES, strict=True)]
    write_csv(joined, ["emotion", "pixels", "Usage", *COLUMNS], rows)
    shown = prepared(joined)
    assert shown.status == 0
    assert "has votes of FER+, which are not read" in " ".join(shown.out.split())
    assert "FER+'s votes on" in shown.out
    assert prepared(joined, f"votes={votes}").status == 0
    assert load_packed(tmp_path / "data" / "fer2013").manifest["source"]["votes"]["file"] == votes.name
    assert "votes=PATH" in prepared(joined, "dataset.labels=fer2013new.csv").sentence
    eight = write_csv(tmp_path / "eight.csv", ["emotion", "pixels", "Usage"], [["7", *plain[0][1:]]])
    assert "dataset.labels=ferplus" in prepared(eight).sentence


# ------------------------------------------------------------------------------------------------ beside the labels


@pytest.fixture
def data(known: None, tmp_path: Path) -> PackedData:
    return pack(write_zip(tmp_path / "a.zip", CONTENT), tmp_path / "data" / "fer2013", Fer2013Reader())


def without_votes(data: PackedData, root: Path) -> PackedData:
    """`data` as it was packed before there were votes."""
    shutil.copytree(data.root, root)
    manifest = json.loads((root / "manifest.json").read_text())
    del manifest["beside"], manifest["source"]["votes"], manifest["checksum"]
    (root / "manifest.json").write_text(json.dumps(manifest))
    for split in data.splits:
        (root / split / "votes.npy").unlink()
    return load_packed(root)


def test_votes_do_not_change_what_the_data_are(data: PackedData, tmp_path: Path) -> None:
    before = without_votes(data, tmp_path / "before" / "fer2013")
    assert before.splits["train"].votes is None
    assert before.votes_identity == {}
    assert before.identity == data.identity
    assert arrays(before) == arrays(data)
    again = pack(tmp_path / "a.zip", before.root, Fer2013Reader())  # the same command brings the votes
    assert again.votes_identity == data.votes_identity != {}
    assert arrays(again) == arrays(data)


def test_votes_that_are_damaged_are_refused(data: PackedData) -> None:
    path = data.root / "val" / "votes.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(UserError, match=r"val/votes\.npy is damaged"):
        load_packed(data.root)


# ------------------------------------------------------------------------------------------------- labels=ferplus


def test_labels_by_votes(data: PackedData) -> None:
    by_votes = variant_of(data, {"labels": "ferplus"})
    assert by_votes.classes == CLASSES
    assert by_votes.name == "fer2013@ferplus"
    for name, split in by_votes.splits.items():
        decided = [
            (identity, chosen)
            for identity, chosen in zip(data.splits[name].names, plurality(data.splits[name].votes), strict=True)
            if chosen >= 0
        ]
        assert 0 < len(decided) < len(data.splits[name])
        assert list(zip(split.names, split.labels.tolist(), strict=True)) == decided
        pixels = dict(zip(data.splits[name].names, data.splits[name].images, strict=True))
        assert all(np.array_equal(image, pixels[of]) for image, of in zip(split.images, split.names, strict=True))
    assert by_votes.identity != data.identity
    assert variant_of(data, {"labels": "own"}) is data
    assert variant_of(data, {}) is data


def test_other_votes_are_other_data(data: PackedData, tmp_path: Path) -> None:
    own = write_votes(tmp_path / "fer2013new.csv", CONTENT, np.where(VOTES == 1, 0, VOTES).astype(np.uint8))
    other = pack(tmp_path / "a.zip", tmp_path / "other" / "fer2013", Fer2013Reader(votes=own))
    assert other.identity == data.identity
    assert variant_of(other, {"labels": "ferplus"}).identity != variant_of(data, {"labels": "ferplus"}).identity


def test_labels_that_cannot_be(data: PackedData, tmp_path: Path) -> None:
    before = without_votes(data, tmp_path / "before" / "fer2013")
    with pytest.raises(UserError, match=r"has none. Prepare it again: python -m fer_perturb.prepare dataset=fer2013"):
        variant_of(before, {"labels": "ferplus"})
    with pytest.raises(UserError, match=r"dataset.labels=votes: expected own or ferplus"):
        variant_of(data, {"labels": "votes"})


def test_how_many_are_left_out_is_said(data: PackedData, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    config = composed(f"paths.data={data.root.parent}", "dataset.labels=ferplus")
    kept = open_dataset(config)
    told = " ".join(capsys.readouterr().out.split())
    assert f"{len(kept.splits['test'])} of {len(data.splits['test'])} in test" in told
