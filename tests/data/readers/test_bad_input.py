"""Bad input is told clearly, and what was prepared before stays as it was."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from small_fer2013 import (
    EMOTIONS,
    Picture,
    encode,
    pictures,
    textures,
    write_csv,
    write_fer2013_csv,
    write_folder,
    write_icml_csv,
    write_zip,
)

from fer_perturb.data.packed import load_packed
from fer_perturb.data.packing import pack
from fer_perturb.data.readers.fer2013.reader import Fer2013Reader
from fer_perturb.data.readers.folder.reader import FolderReader
from fer_perturb.errors import UserError

FEW = pictures((2, 1, 1))
PIXELS = " ".join(["7"] * 2304)
HEADER = ["emotion", "pixels", "Usage"]


@pytest.fixture
def standing(tmp_path: Path) -> Path:
    """data/fer2013, prepared before."""
    root = tmp_path / "data" / "fer2013"
    pack(write_zip(tmp_path / "before.zip", pictures((2, 1, 1), seed=9)), root, Fer2013Reader())
    return root


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def csv_with(pixels: str = PIXELS, label: str = "3", usage: str = "Training") -> Callable[[Path], Path]:
    """A proper csv whose 30th row is another one."""

    def make(folder: Path) -> Path:
        path = write_fer2013_csv(folder / "fer2013.csv", FEW)
        with path.open("a") as file:
            file.write("\n" * 2)  # empty lines do not count as rows
            for row in (["3", PIXELS, "Training"], [label, pixels, usage]):
                file.write(",".join(row) + "\n")
        return path

    return make


def file_of(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def zip_of(members: dict[str, bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "a.zip", "w") as archive:
            for one in FEW if members else []:
                archive.writestr(f"{one.folder}/{one.file}", one.data)
            for name, data in members.items():
                archive.writestr(name, data)
        return folder / "a.zip"

    return make


def folder_with(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        source = write_folder(folder / "pictures", FEW)
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
        return source

    return make


def without(usage: str, write: Callable[[Path, list[Picture]], Path]) -> Callable[[Path], Path]:
    return lambda folder: write(folder / "source", [one for one in FEW if one.usage != usage])


def damaged_zip(folder: Path) -> Path:
    path = write_zip(folder / "a.zip", FEW)
    data = bytearray(path.read_bytes())
    at = data.index(FEW[4].data) + len(FEW[4].data) // 2
    data[at] ^= 0xFF
    path.write_bytes(data)
    return path


def truncated(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-300])
    return path


def tar_of_csv(folder: Path) -> Path:
    csv = write_fer2013_csv(folder / "fer2013.csv", FEW)
    with tarfile.open(folder / "fer2013.tar.gz", "w:gz") as tar:
        tar.add(csv, "fer2013.csv")
    return folder / "fer2013.tar.gz"


WHOLE = FEW[0].data
PNG = encode(textures(1, 0)[0], "PNG")
HAPPY = "train/happy/Training_900.jpg"

BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "truncated JPEG": (folder_with(HAPPY, WHOLE[:-100]), r"Training_900\.jpg is truncated"),
    "JPEG without its last byte": (folder_with(HAPPY, WHOLE[:-1]), r"Training_900\.jpg is truncated"),
    "truncated JPEG in a zip": (zip_of({HAPPY: WHOLE[:200]}), r"Training_900\.jpg in .*a\.zip is truncated"),
    "corrupt JPEG": (folder_with(HAPPY, b"\xff\xd8" + bytes(500)), r"Training_900\.jpg is no picture, or a corrupt"),
    "corrupt JPEG tables": (
        folder_with(HAPPY, WHOLE[:160] + bytes(200) + WHOLE[360:]),
        r"Training_900\.jpg is .*corrupt",
    ),
    "empty JPEG": (folder_with(HAPPY, b""), r"Training_900\.jpg is no picture"),
    "corrupt PNG": (
        folder_with("train/happy/Training_900.png", PNG[:300] + b"\0\0\0\0" + PNG[304:]),
        r"Training_900\.png is truncated or corrupt",
    ),
    "damage in a zip": (damaged_zip, r"_\d+\.jpg in .*a\.zip cannot be read: Bad CRC"),
    "2,303 pixels": (csv_with(" ".join(["7"] * 2303)), r"Row 30 \(line 33\) of .*fer2013\.csv has 2303 pixels"),
    "2,305 pixels": (csv_with(PIXELS + " 7"), r"Row 30 .* has 2305 pixels, expected 2304"),
    "no pixels": (csv_with(""), r"Row 30 .* has 0 pixels, expected 2304"),
    "pixel 256": (csv_with("256" + PIXELS[1:]), r"Row 30 .* has the pixel '256', expected .* 0 to 255"),
    "pixel -1": (csv_with(PIXELS[:-1] + "-1"), r"Row 30 .* has the pixel '-1'"),
    "a letter": (csv_with("x" + PIXELS[1:]), r"Row 30 .* has the pixel 'x'"),
    "a fraction": (csv_with("7.5" + PIXELS[1:]), r"Row 30 .* has the pixel '7.5'"),
    "label 7": (csv_with(label="7"), r"Row 30 .* has the emotion '7', expected one of 0 angry, .* 6 neutral"),
    "label -1": (csv_with(label="-1"), r"Row 30 .* has the emotion '-1'"),
    "label in words": (csv_with(label="happy"), r"Row 30 .* has the emotion 'happy'"),
    "no label": (csv_with(label=""), r"Row 30 .* has the emotion ''"),
    "unknown Usage": (csv_with(usage="Validation"), r"Row 30 .* has the Usage 'Validation', expected .*PublicTest"),
    "a row too long": (csv_with(usage="Training,1"), r"Row 30 .* has 4 columns, expected 3"),
    "a row too short": (
        lambda folder: write_csv(folder / "a.csv", HEADER, [["3", PIXELS]]),
        r"Row 1 \(line 2\) of .*a\.csv has 2 columns, expected 3",
    ),
    "unknown emotion folder": (
        folder_with("train/contempt/Training_900.jpg", WHOLE),
        r"Training_900\.jpg lies in the folder 'contempt', .* Expected one of angry, disgust",
    ),
    "unknown emotion folder in a zip": (
        zip_of({"train/contempt/Training_900.jpg": WHOLE}),
        r"train/contempt/Training_900\.jpg in .*a\.zip lies in the folder 'contempt'",
    ),
    "the same picture twice": (
        folder_with(f"copy/{FEW[0].emotion}/{FEW[0].file}", WHOLE),
        r"stands in the source twice",
    ),
    **{
        f"no {usage} in {write.__name__}": (without(usage, write), rf"source has no {usage} images, so the {split}")
        for usage, split in (("Training", "train"), ("PublicTest", "val"), ("PrivateTest", "test"))
        for write in (write_zip, write_folder, write_fer2013_csv, write_icml_csv)
    },
    "empty zip": (zip_of({}), r"a\.zip is an empty zip"),
    "empty csv": (file_of("a.csv", b""), r"a\.csv is empty"),
    "csv with a header only": (file_of("a.csv", b"emotion,pixels,Usage\n"), r"a\.csv is empty: it has a header"),
    "empty folder": (lambda folder: folder, r"holds no FER2013. Expected a zip or folder of pictures"),
    "text called zip": (file_of("fer2013.zip", b"not a zip\n"), r"fer2013\.zip is no zip, and no csv with the columns"),
    "bytes called zip": (file_of("fer2013.zip", bytes(range(128, 256)) * 100), r"fer2013\.zip is no zip and no text"),
    "one long line": (file_of("a.csv", b"7 " * 500_000), r"a\.csv is no zip, and no csv"),
    "truncated zip": (lambda folder: truncated(write_zip(folder / "a.zip", FEW)), r"truncated or corrupt zip"),
    "truncated tar": (lambda folder: truncated(tar_of_csv(folder)), r"fer2013\.tar\.gz .*(truncated|cannot be read)"),
    "zip without FER2013": (
        lambda folder: shutil.make_archive(str(folder / "a"), "zip", Path(__file__).parent) and folder / "a.zip",
        r"a\.zip holds no FER2013",
    ),
    "zip member above": (zip_of({"../train/happy/Training_9.jpg": WHOLE}), r"member '../train.*points outside"),
    "zip member deep above": (zip_of({"train/../../x.jpg": WHOLE}), r"points outside"),
    "zip member absolute": (zip_of({"/etc/Training_9.jpg": WHOLE}), r"member '/etc.*points outside"),
    "zip member of a drive": (zip_of({"C:\\x\\Training_9.jpg": WHOLE}), r"points outside"),
    "zip member above, backslash": (zip_of({"..\\x.jpg": WHOLE}), r"points outside"),
    "csv without Usage": (
        lambda folder: write_csv(folder / "train.csv", ["emotion", "pixels"], [["3", PIXELS]]),
        r"is a part of FER2013 \(train\.csv\).* Expected icml_face_data\.csv",
    ),
    "csv of something else": (file_of("a.csv", b"a,b\n1,2\n"), r"a\.csv is no zip, and no csv with the columns"),
    "two csvs": (
        lambda folder: write_fer2013_csv(folder / "a.csv", FEW) and write_icml_csv(folder / "b.csv", FEW).parent,
        r"holds several csvs of FER2013 .*a\.csv.*b\.csv",
    ),
    "csv with zeros": (file_of("a.csv", b"emotion,pixels,Usage\n3,\0,Training\n"), r"a\.csv|Row 1"),
    "another size": (
        folder_with("train/happy/Training_900.png", encode(textures(1, 0, (64, 50))[0], "PNG")),
        r"Training_900\.png has 50x64 pixels, expected 48x48.*dataset\.resize=true",
    ),
    "16 bits": (
        folder_with("train/happy/Training_900.png", encode(textures(1, 0)[0].astype("uint16") * 257, "PNG")),
        r"Training_900\.png has pixels of mode I;16, expected 8 bits",
    ),
    "no such path": (lambda folder: folder / "nowhere.zip", r"nothing at source=.*nowhere\.zip"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_fer2013_leaves_everything_as_it_was(tmp_path: Path, standing: Path, case: str) -> None:
    make, message = BAD[case]
    folder = tmp_path / "given"
    folder.mkdir()
    source = make(folder)
    before = contents(standing.parent)
    with pytest.raises(UserError, match=message):
        pack(source, standing, Fer2013Reader())
    assert contents(standing.parent) == before
    load_packed(standing)


def test_bad_fer2013_leaves_nothing_where_nothing_was(tmp_path: Path) -> None:
    source = csv_with("x")(tmp_path)
    with pytest.raises(UserError):
        pack(source, tmp_path / "data" / "fer2013", Fer2013Reader())
    assert not (tmp_path / "data").exists()


def test_bad_folder_leaves_everything_as_it_was(tmp_path: Path, standing: Path) -> None:
    before = contents(standing.parent)
    source = write_folder(tmp_path / "pictures", FEW)  # train and test, but no val
    with pytest.raises(UserError, match=r"has no val, only test, train\. .*dataset\.val_share=0\.1"):
        pack(source, standing, FolderReader(EMOTIONS))
    assert contents(standing.parent) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from fer_perturb import files
from fer_perturb.data.packing import pack
from fer_perturb.data.readers.fer2013 import pictures
from fer_perturb.data.readers.fer2013.reader import Fer2013Reader

owner, name = {"decode": (pictures, "decode_grey"), "array": (files, "write_npy"),
               "manifest": (files, "write_json"), "swap": (Path, "rename")}[sys.argv[1]]
real, calls = getattr(owner, name), 0

def last_call(*arguments):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)

setattr(owner, name, last_call)
pack(Path(sys.argv[3]), Path(sys.argv[4]), Fer2013Reader())
"""


@pytest.mark.parametrize(
    ("moment", "call", "before"),
    [
        ("decode", 15, True),  # half of the pictures read
        ("array", 4, False),  # one split written, another begun
        ("manifest", 1, True),  # all but the manifest
        ("swap", 2, True),  # the old data moved aside, the new not yet in their place
    ],
)
def test_killed_half_way(tmp_path: Path, moment: str, call: int, before: bool) -> None:
    root = tmp_path / "data" / "fer2013"
    if before:
        pack(write_zip(tmp_path / "before.zip", pictures((2, 1, 1), seed=9)), root, Fer2013Reader())
    old = contents(root) if before else {}
    source = write_zip(tmp_path / "a.zip", FEW)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, moment, str(call), str(source), str(root)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        timeout=900,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    leftovers = list(root.parent.glob(".fer2013.*.partial"))
    assert bool(leftovers) == (moment != "decode")
    if before and moment != "swap":
        load_packed(root)
        assert contents(root) == old
    else:
        with pytest.raises(UserError, match="No prepared data"):
            load_packed(root)
    other = root.parent / ".fer2013.more.12345678.partial"  # another dataset's, not ours to clear away
    other.mkdir()
    with pytest.raises(UserError, match="nowhere"):
        pack(tmp_path / "nowhere.zip", root, Fer2013Reader())
    assert contents(root) == old  # also what the killed one had moved aside
    data = pack(source, root, Fer2013Reader())
    fresh = pack(source, tmp_path / "fresh" / "fer2013", Fer2013Reader())
    assert contents(data.root) == contents(fresh.root)
    assert list(root.parent.glob(".fer2013*.partial")) == [other]


def test_nothing_prepared_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"python -m fer_perturb\.prepare dataset=fer2013 source=PATH"):
        load_packed(tmp_path / "data" / "fer2013")
