"""Whole or not at all: and in words what kept it from being written."""

import errno
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fer_perturb.data.packed import RawSplit, write_packed
from fer_perturb.errors import UserError
from fer_perturb.files import atomic_directory, atomic_file, link, write_bytes, write_npy
from fer_perturb.tasks.training.write_predictions import write_table


@pytest.fixture
def full() -> Iterator[None]:
    """No file may be larger than 1 KB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


RANDOM = np.random.default_rng(0)
ARRAY = RANDOM.integers(0, 256, (5, 40, 40)).astype(np.uint8)
TABLE = pa.table({"logit": RANDOM.random(1000)})


def pack(path: Path) -> None:
    write_packed(path, "mine", ("a",), dict.fromkeys(("train", "val", "test"), SPLIT), {})


SPLIT = RawSplit(ARRAY, np.zeros(5, dtype=np.uint8), list("abcde"), beside={"votes": np.zeros((5, 10), dtype=np.uint8)})


@pytest.mark.parametrize(
    ("write", "needed"),
    [
        (lambda path: write_bytes(path, bytes(5000)), 5000),
        (lambda path: write_bytes(path, memoryview(bytes(5000))), 5000),
        (lambda path: write_npy(path, ARRAY), ARRAY.nbytes),
        (lambda path: write_npy(path, np.asfortranarray(ARRAY)), ARRAY.nbytes),
        (pack, 3 * (8000 + 5 + 50)),
    ],
)
def test_a_full_disk_is_told_with_what_was_needed(full: None, tmp_path: Path, write, needed) -> None:
    with pytest.raises(UserError) as raised:
        write(tmp_path / "place")
    assert str(raised.value).startswith(f"{tmp_path}/place cannot be written ({needed:,} bytes): File too large; ")
    assert "bytes are free there. What was there is whole. Make room" in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_table_is_told_with_its_size_on_disk(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    write_table(tmp_path / "fits", TABLE)
    request.getfixturevalue("full")
    with pytest.raises(UserError, match=rf"place cannot be written \({(tmp_path / 'fits').stat().st_size:,} bytes\)"):
        write_table(tmp_path / "place", TABLE)


def test_arrays_are_what_numpy_writes(tmp_path: Path) -> None:
    for array in (ARRAY, ARRAY[:0], np.asfortranarray(ARRAY[0]), np.array([b"a" * 64]), ARRAY.astype(np.float16)):
        write_npy(tmp_path / "ours.npy", array)
        np.save(tmp_path / "numpy.npy", array)
        assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()


@pytest.mark.parametrize(
    ("number", "way_on"),
    [
        (errno.EACCES, "Allow writing there"),
        (errno.EROFS, "Allow writing there"),
        (errno.EEXIST, "Move what is in its way"),
        (errno.ENOTDIR, "Move what is in its way"),
    ],
)
def test_what_may_not_be_written_is_no_matter_of_room(tmp_path: Path, number: int, way_on: str) -> None:
    with pytest.raises(UserError) as raised, atomic_file(tmp_path / "place") as temporary:
        raise OSError(number, "Refused", str(temporary))
    assert str(raised.value).startswith(
        f"{tmp_path}/place cannot be written: Refused. What was there is whole. {way_on}"
    )


@pytest.mark.parametrize("whole", [atomic_file, atomic_directory])
@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "/elsewhere/images.npy"),
        ConnectionError("no network"),
        FileNotFoundError(errno.ENOENT, "No such file", "/elsewhere"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_of_other_things_pass(tmp_path: Path, whole, error: OSError) -> None:
    with pytest.raises(type(error)) as raised, whole(tmp_path / "place"):
        raise error
    assert raised.value is error
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_copied_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(source: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(source))

    monkeypatch.setattr("os.link", refused)
    monkeypatch.setattr("shutil.copyfile", refused)
    (tmp_path / "source").write_bytes(b"1")
    with pytest.raises(PermissionError):
        link(tmp_path / "source", tmp_path / "run" / "target")
