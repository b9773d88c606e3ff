"""The bytes of a picture -> grey pixels."""

import io
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fer_perturb.errors import UserError

EIGHT_BIT = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}


def decode_grey(data: bytes, where: str) -> NDArray[np.uint8]:
    """Decodes a JPEG, PNG or whatever else Pillow reads.

    Returns (H, W) uint8, 0 = black; colour becomes grey by ITU-R 601-2 luma, transparency is dropped, a camera's
    orientation tag is obeyed, of an animation the first frame is taken. Raises UserError, with `where` (file,
    or file and member), for what is truncated, corrupt, no picture or not of 8 bits. Damage inside a JPEG's
    compressed pixels that still decodes to some picture cannot be told (in a zip its checksum tells).
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.format == "JPEG":
                # Pillow forgives a missing end; the end must come after the start of the last scan
                if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
                    raise UserError(f"{where} is truncated: the JPEG has no end. Fetch it again.")
            else:
                with Image.open(io.BytesIO(data)) as checked:
                    checked.verify()  # a PNG's checksums, which load() skips in part
            picture.load()
            if picture.mode not in EIGHT_BIT:
                raise UserError(f"{where} has pixels of mode {picture.mode}, expected 8 bits per channel.")
            return np.asarray(ImageOps.exif_transpose(picture).convert("L"))
    except UnidentifiedImageError as error:
        raise UserError(f"{where} is no picture, or a corrupt one: expected a JPEG, PNG or the like.") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        raise UserError(f"{where} is truncated or corrupt: {error}. Fetch it again.") from error
    except (struct.error, Image.DecompressionBombError, MemoryError) as error:
        raise UserError(f"{where} cannot be decoded: {error}.") from error


def resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """image (H, W) uint8 -> `size` = (H', W'), the ratio of its sides not kept.

    Pillow's bilinear filter, which widens with the scale when it shrinks (an average over the area).
    """
    if image.shape == size:
        return image
    height, width = size
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def read_bytes(path: Path) -> bytes:
    """The bytes of the file at `path`; UserError where they cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
