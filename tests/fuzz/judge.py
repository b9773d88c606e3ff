"""What is wrong with how a command ended."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_perturb.data.packed import load_packed
from fer_perturb.errors import UserError
from fuzz.cases import Case
from fuzz.forked import Ended
from fuzz.mutations import EXECUTED

REFUSED = 2
FOLDER = "folder"
VARYING = {"cached", "commit", "checksum", "train_seconds", "reclustering_seconds"}
TIMES = {"seconds", "images_per_second"}

Seen = dict[str, str]  # path -> the sha256 of a file, FOLDER, or where a link leads


class Eyes:
    """Sees what lies in a folder; what has not changed since it was last seen is not read again."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, int, int], str] = {}

    def look(self, root: Path) -> Seen:
        seen: Seen = {}
        for folder, folders, names in os.walk(root):
            for name in (*folders, *names):
                path = Path(folder, name)
                seen[path.relative_to(root).as_posix()] = self._one(path)
        return seen

    def _one(self, path: Path) -> str:
        if path.is_symlink():
            return f"-> {path.readlink()}"
        if path.is_dir():
            return FOLDER
        state = path.stat()
        key = (state.st_ino, state.st_size, state.st_mtime_ns)
        if key not in self.known:
            self.known[key] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self.known[key]


@dataclass(frozen=True)
class Unharmed:
    """What the command leaves where nothing is damaged: its result files, what its JSON files say, its percentages."""

    results: Mapping[str, str]
    documents: Mapping[str, Any]
    percentages: list[str]


def unharmed(case: Case, root: Path, ended: Ended, results: tuple[str, ...], seen: Seen) -> Unharmed:
    """What `case` ended with; `results` are its globs, with the names of runs in them."""
    found = {path.relative_to(root).as_posix() for pattern in results for path in root.glob(pattern)}
    documents = {name: json.loads((root / name).read_text()) for name in found if name.endswith(".json")}
    files = {name: seen[name] for name in sorted(found - set(documents)) if seen[name] != FOLDER}
    return Unharmed(files, documents, percentages(ended))


def percentages(ended: Ended) -> list[str]:
    return re.findall(r"[\d.]+ %", ended.out)


def other_numbers(found: Any, expected: Any, *, again: bool = False, at: str = "") -> str:
    """Where a JSON file tells something else than expected; an empty string if nowhere.

    again: a phase was made again, and may have taken another time.
    """
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return "" if found == expected else f"{at}: {found}, and {expected} without damage"
    left_out = VARYING | (TIMES if again or not at else set())
    for key in sorted({*found, *expected} - left_out):
        one = found.get(key)
        made_again = at == "phases" and isinstance(one, dict) and not one.get("cached")
        if told := other_numbers(one, expected.get(key), again=made_again, at=f"{at}.{key}".lstrip(".")):
            return told
    return ""


def verdict(
    case: Case, root: Path, ended: Ended, before: Seen, after: Seen, expected: Unharmed, writes: tuple[str, ...]
) -> str:
    """What is wrong; an empty string where nothing is."""
    if ended.status is None:
        return f"It did not end within {ended.seconds:.0f} s."
    if "Traceback" in ended.out + ended.err:
        return "A traceback."
    if any(Path(path).name == EXECUTED for path in after):
        return "What a pickle holds was executed."
    if ended.status == REFUSED:
        told = [line for line in ended.err.splitlines() if line.startswith("Error: ")]
        if len(told) != 1 or len(told[0]) < 30:
            return f"Not one sentence: {told}"
        return _changed(before, after, ())
    if ended.status != 0:
        return f"Exit status {ended.status}."
    return _changed(before, after, writes) or _wrong(case, root, ended, after, expected)


def _changed(before: Seen, after: Seen, writes: tuple[str, ...]) -> str:
    aside = {content for path, content in after.items() if ".damaged" in path}
    for path, content in before.items():
        if path.startswith(writes) or path.endswith(".lock"):
            continue
        if after.get(path) != content and content not in aside:
            return f"{path} was {'changed' if path in after else 'removed'}."
    return ""


def _wrong(case: Case, root: Path, ended: Ended, after: Seen, expected: Unharmed) -> str:
    differing = [name for name, content in expected.results.items() if after.get(name) != content]
    if differing and not case.source:
        return f"{differing[0]} is not what it is without damage."
    if differing:
        return _inconsistent(root / "data" / "new")
    for name, document in expected.documents.items():
        if not (root / name).is_file():
            return f"{name} is not there."
        try:
            found = json.loads((root / name).read_text())
        except ValueError:
            return f"{name} is no JSON."
        if told := other_numbers(found, document):
            return f"{name}: {told}."
    shown = percentages(ended)
    return "" if shown == expected.percentages else f"It shows {shown}, and without damage {expected.percentages}."


def _inconsistent(root: Path) -> str:
    """What is wrong with packed data that are not the expected ones: their manifest has to fit the arrays."""
    try:
        data = load_packed(root)
    except UserError as error:
        return str(error)
    for split, rows in data.splits.items():
        counted = [int((rows.labels == label).sum()) for label in range(len(data.classes))]
        if list(data.manifest["counts"][split]["classes"].values()) != counted:
            return f"The manifest's counts are not those of {split}."
    return ""
