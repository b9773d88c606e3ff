"""Names that mean the same, names for folders, and files that mean nothing."""

import re
import unicodedata
from pathlib import PurePath

from fer_perturb.errors import UserError

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
PLAIN_NAME = re.compile(r"[^/\\:*?\"<>|\x00-\x1f+@.\s][^/\\:*?\"<>|\x00-\x1f+@]{0,99}")
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # by Windows
LITTER = "left by an operating system (._*, __MACOSX, .DS_Store, Thumbs.db, desktop.ini)"


def split_named(name: str) -> str | None:
    """train, val or test, if a folder or file of that name holds that split; whatever its case."""
    return next((split for split, names in SPLIT_NAMES.items() if name.lower() in names), None)


def is_litter(path: PurePath) -> bool:
    """Whether a path, inside its source, is one of the files that systems leave beside people's own."""
    names = (".ds_store", "thumbs.db", "desktop.ini")
    return "__MACOSX" in path.parts or path.name.startswith("._") or path.name.lower() in names


def composed(name: str) -> str:
    """A name with its accents in one character each, as people type them; macOS stores them apart."""
    return unicodedata.normalize("NFC", name)


def folder_name(given: object) -> str:
    """dataset.name, which Hydra reads as a number if it is 2024; UserError where it is no plain name of a folder."""
    name = str(given)
    if not PLAIN_NAME.fullmatch(name) or RESERVED.fullmatch(name):
        raise UserError(
            f"dataset.name={name}: expected a plain name for a folder, of at most 100 characters and without "
            ' / \\ : * ? " < > | + @.'
        )
    return name
