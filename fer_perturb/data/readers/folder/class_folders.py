"""Pictures in a folder for each class, in folders for the splits or not."""

from pathlib import Path

from PIL import Image

from fer_perturb.data.file_names import composed, split_named
from fer_perturb.data.readers.folder.found import COLUMNS, LAYOUT, Found, Picture, entries, folders_in, writable_name
from fer_perturb.errors import UserError


def in_class_folders(source: Path) -> Found:
    found = Found()
    root = source
    while len(inside := folders_in(root)) == 1 and not split_named(inside[0].name) and folders_in(inside[0]):
        for path in entries(root, found):
            if not path.is_dir():
                found.leave_out("file beside the class folders")
        root = inside[0]  # an archive's own folder around the splits
    split_folders = {folder: split for folder in inside if (split := split_named(folder.name))}
    if not split_folders:
        _in_one_split(root, None, found)
    else:
        for path in entries(root, found):
            if path not in split_folders:
                found.leave_out("file or folder beside those of the splits")
    for folder, split in split_folders.items():
        _in_one_split(folder, split, found)
    if not found.pictures:
        there = ", ".join(path.name for path in entries(root, Found())) or "nothing"
        raise UserError(
            f"{root} has no pictures in class folders (it has {there}). Expected {LAYOUT}, or a csv with the columns "
            f"{COLUMNS[0]} and {COLUMNS[1]}."
        )
    return found


def _in_one_split(folder: Path, split: str | None, found: Found) -> None:
    endings = Image.registered_extensions()
    for class_folder in entries(folder, found):
        if not class_folder.is_dir():
            found.leave_out("file beside the class folders")
            continue
        writable_name(class_folder)
        for path in entries(class_folder, found):
            if path.is_dir():
                raise UserError(f"{path} is a folder inside a class folder. Expected {LAYOUT}.")
            if path.suffix.lower() not in endings:
                found.leave_out("file that is no picture")
            else:
                found.pictures.append(Picture(writable_name(path), composed(class_folder.name), split))
