"""Damage done to a file or a folder. Each kind is a function of what lies there and of a random stream."""

import json
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

EXECUTED = "executed"  # the file that a pickle would make, if it were unpickled

Damage = Callable[[Path, Random], None]
Change = Callable[[bytes, Random], bytes]


def cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))]


def flip(content: bytes, random: Random) -> bytes:
    """One to eight bits."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 8)):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def swap(content: bytes, random: Random) -> bytes:
    """Two blocks of the same length."""
    length = random.randint(1, max(1, len(content) // 4))
    first, second = sorted(random.randint(0, len(content) - length) for _ in range(2))
    second = max(second, min(first + length, len(content) - length))
    one, other = content[first : first + length], content[second : second + length]
    changed = bytearray(content)
    changed[first : first + length], changed[second : second + length] = other, one
    return bytes(changed)


def repeat(content: bytes, random: Random) -> bytes:
    start, end = _block(content, random)
    return content[:end] + content[start:]


def leave_out(content: bytes, random: Random) -> bytes:
    start, end = _block(content, random)
    return content[:start] + content[end:]


def blank(content: bytes, random: Random) -> bytes:
    """A block of zeros, as file systems leave after a crash."""
    start, end = _block(content, random)
    return content[:start] + bytes(end - start) + content[end:]


def add(content: bytes, random: Random) -> bytes:
    return content + random.randbytes(random.randint(1, 100))


def digit(content: bytes, random: Random) -> bytes:
    """Another number: in a text the damage that is hardest to see."""
    places = [found.start() for found in re.finditer(rb"[0-9]", content)]
    if not places:
        return add(content, random)
    place = random.choice(places)
    others = [value for value in b"0123456789" if value != content[place]]
    return content[:place] + bytes([random.choice(others)]) + content[place + 1 :]


def empty(content: bytes, random: Random) -> bytes:
    return b""


def _block(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(content))
    return start, random.randint(start + 1, len(content))


def changed(change: Change) -> Damage:
    """What changes a file's bytes; an empty file is added to."""

    def damage(path: Path, random: Random) -> None:
        content = path.read_bytes()
        path.write_bytes(change(content, random) if content else add(content, random))

    return damage


def delete(path: Path, random: Random) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def other_type(path: Path, random: Random) -> None:
    """What others would have written there."""
    kind = random.choice(["npy", "object npy", "zip", "json", "yaml", "text", "pickle"])
    delete(path, random)
    if kind == "npy":
        np.save(path.open("wb"), np.arange(12, dtype=np.float32).reshape(3, 4))
    elif kind == "object npy":  # only written here: whoever reads it has to refuse it
        np.save(path.open("wb"), np.array([_Command(path.parent / EXECUTED)], dtype=object), allow_pickle=True)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/b.txt", "c")
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(_Command(path.parent / EXECUTED)))
    else:
        texts = {
            "json": json.dumps(random.choice([{}, [], None, 7, "a", {"version": 1}])),
            "yaml": "a: [1, 2]\n",
            "text": "Not found\n",
        }
        path.write_text(texts[kind])


class _Command:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.system, (f"touch '{self.path}'",)


def folder_instead(path: Path, random: Random) -> None:
    delete(path, random)
    path.mkdir()
    if random.random() < 0.5:
        (path / "a.txt").write_text("a\n")


def file_instead(path: Path, random: Random) -> None:
    delete(path, random)
    path.write_bytes(random.choice([b"", b"a\n", random.randbytes(50)]))


def link_to_nothing(path: Path, random: Random) -> None:
    delete(path, random)
    path.symlink_to(random.choice([path.with_name("nothing"), path]))


def empty_folder(path: Path, random: Random) -> None:
    delete(path, random)
    path.mkdir()


def forbid(path: Path, random: Random) -> None:
    """Neither to be read nor to be written; of a folder, sometimes not to be written only."""
    path.chmod(0o500 if path.is_dir() and random.random() < 0.5 else 0)


OF_FILES: dict[str, Damage] = {
    **{change.__name__: changed(change) for change in (cut, flip, swap, repeat, leave_out, blank, add, digit, empty)},
    **{damage.__name__: damage for damage in (delete, other_type, folder_instead, link_to_nothing, forbid)},
}
OF_FOLDERS: dict[str, Damage] = {
    damage.__name__: damage for damage in (delete, file_instead, empty_folder, link_to_nothing, forbid)
}


def damage(path: Path, random: Random) -> str:
    """Does some damage to what lies at `path`; its kind."""
    kinds = OF_FOLDERS if path.is_dir() else OF_FILES
    kind = random.choice(sorted(kinds))
    kinds[kind](path, random)
    return kind
