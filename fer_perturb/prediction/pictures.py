"""Which pictures are meant by image=, and their pixels."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_perturb.data.decode import decode_grey, read_bytes
from fer_perturb.data.file_names import is_litter
from fer_perturb.errors import UserError

STDIN = "-"


def pictures_at(place: str) -> list[str]:
    """A picture, those in a folder and its folders by name, or "-" for one from standard input.

    Raises UserError where there is nothing.
    """
    if place == STDIN:
        return [STDIN]
    path = Path(place).expanduser()
    if path.is_file():
        return [str(path)]
    if not path.is_dir():
        raise UserError(f"image={place}: there is no such file or folder.")
    endings = Image.registered_extensions()
    found = [
        file
        for file in sorted(path.rglob("*"))
        if file.suffix.lower() in endings and file.is_file() and not _passed_over(file.relative_to(path))
    ]
    if not found:
        raise UserError(f"image={place}: the folder holds no picture (.jpg, .png and the like).")
    return [str(file) for file in found]


def grey_pixels(picture: str | Path | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (H, W) uint8, grey and upright: a file, "-", or pixels (H, W) or (H, W, 3) in RGB.

    Raises UserError for what cannot be read (data/decode.py).
    """
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3):
            raise UserError(f"An array of {picture.dtype} {picture.shape}: expected uint8 (H, W), or (H, W, 3) in RGB.")
        return np.asarray(Image.fromarray(picture).convert("L"))
    if str(picture) == STDIN:
        return decode_grey(sys.stdin.buffer.read(), "The picture from standard input")
    return decode_grey(read_bytes(Path(picture)), str(picture))


def _passed_over(path: Path) -> bool:
    return is_litter(path) or any(part.startswith(".") for part in path.parts)
