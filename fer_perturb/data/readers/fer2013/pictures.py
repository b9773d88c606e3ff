"""FER2013 as pictures, whose names tell their splits and whose folders their emotions."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from PIL import Image
from rich.progress import Progress

from fer_perturb.data.decode import decode_grey, resized
from fer_perturb.data.emotions import EMOTIONS, SPLITS, USAGES
from fer_perturb.data.packed import RawSplit
from fer_perturb.data.readers.fer2013.rows import SIZE, Rows
from fer_perturb.data.readers.fer2013.source import Picture
from fer_perturb.errors import UserError

PICTURE = re.compile(r"(Training|PublicTest|PrivateTest)_[0-9]+")  # and an ending that Pillow reads


def is_picture(path: PurePosixPath) -> bool:
    return bool(PICTURE.fullmatch(path.stem)) and path.suffix.lower() in Image.registered_extensions()


def read_pictures(pictures: Iterable[Picture], *, resize: bool, progress: Progress) -> dict[str, RawSplit]:
    rows = {split: Rows() for split in SPLITS}
    seen: dict[tuple[str, str], str] = {}
    # what can be told without decoding comes first
    chosen = list(pictures)
    for picture in chosen:
        emotion = picture.path.parent.name
        if emotion not in EMOTIONS:
            raise UserError(
                f"{picture.where} lies in the folder {emotion!r}, which is no emotion. "
                f"Expected one of {', '.join(EMOTIONS)}."
            )
        key = (emotion, picture.path.name)
        if key in seen:
            raise UserError(f"{picture.where} stands in the source twice, also as {seen[key]}. Expected it once.")
        seen[key] = picture.where
    for picture in progress.track(chosen, description="Reading FER2013"):
        image = decode_grey(picture.read(), picture.where)
        if image.shape != SIZE:
            if not resize:
                raise UserError(
                    f"{picture.where} has {image.shape[1]}x{image.shape[0]} pixels, expected "
                    f"{SIZE[1]}x{SIZE[0]}. To have all pictures resized: dataset.resize=true"
                )
            image = resized(image, SIZE)
        name = picture.path.name
        label = EMOTIONS.index(picture.path.parent.name)
        rows[USAGES[name.partition("_")[0]]].add(image.tobytes(), label, name)
    return {split: row.done() for split, row in rows.items()}
