"""A file's sha256 is remembered as long as the file is the same, and no longer."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from fer_perturb import files
from fer_perturb.data.packed import load_packed
from fer_perturb.errors import UserError
from fer_perturb.runs.phase_cache import FILES, RECORD, damage_of, known_files

LONG_AGO = 1_500_000_000 * 10**9  # nanoseconds


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are hashed, in turn."""
    names: list[str] = []
    digest = hashlib.file_digest

    def noted(file: Any, kind: str) -> Any:
        names.append(Path(file.name).name)
        return digest(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", noted)
    return names


def aged(root: Path, time: int = LONG_AGO) -> None:
    for path in [root, *root.rglob("*")]:
        os.utime(path, ns=(time, time))


def test_a_file_is_read_once_and_again_when_it_has_changed(tmp_path: Path, read: list[str]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    aged(path)
    assert files.sha256(path) == files.sha256(path) == hashlib.sha256(b"one").hexdigest()
    assert read == ["a"]
    path.write_bytes(b"two")  # of the same size
    aged(path, LONG_AGO + 1)
    assert files.sha256(path) == hashlib.sha256(b"two").hexdigest()
    path.write_bytes(b"three")
    aged(path, LONG_AGO + 1)
    assert files.sha256(path) == hashlib.sha256(b"three").hexdigest()
    other = tmp_path / "b"
    other.write_bytes(b"other")
    aged(other, LONG_AGO + 1)
    other.replace(path)  # of the same size and time
    assert files.sha256(path) == hashlib.sha256(b"other").hexdigest()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        files.sha256(path)


def test_two_writings_in_one_tick_of_the_clock_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    now = path.stat().st_mtime_ns
    assert files.sha256(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"two")
    os.utime(path, ns=(now, now))
    assert files.sha256(path) == hashlib.sha256(b"two").hexdigest()


def test_jobs_of_a_sweep_hash_data_and_phases_once(data_directory: Path, tmp_path: Path, read: list[str]) -> None:
    root, phase = tmp_path / "data" / "mine", tmp_path / "phase"
    shutil.copytree(data_directory / "synthetic", root)
    phase.mkdir()
    (phase / "weights").write_bytes(b"weights")
    aged(tmp_path)
    files.write_json(phase / RECORD, files.sealed({FILES: known_files(phase)}))
    for _ in range(3):
        load_packed(root)
        assert damage_of(phase) == ""
    assert sorted(read) == sorted([*(path.name for path in root.glob("*/*")), "weights"])
    for path in (root / "val" / "labels.npy", phase / "weights"):
        path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(UserError, match=r"val/labels.npy is damaged"):
        load_packed(root)
    assert damage_of(phase) == "weights is damaged (its sha256 is not the recorded one)"
