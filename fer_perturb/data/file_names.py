"""Names that mean the same, and files that mean nothing."""

import unicodedata
from pathlib import PurePath

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
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
