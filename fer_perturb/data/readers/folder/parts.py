"""Which split each picture of a source goes to, where the source does not say."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.packed import RawSplit
from fer_perturb.data.packed.split import image_identities
from fer_perturb.data.quality.near_duplicates import LIMIT, near_duplicates
from fer_perturb.data.readers.folder.found import LAYOUT, Picture
from fer_perturb.data.readers.folder.splitting import Splitting, is_whole, nearest_shares, split_rows, together
from fer_perturb.errors import UserError, warn


def without_split(
    pictures: Sequence[Picture], splitting: Splitting, source: Path
) -> tuple[list[Picture], Sequence[str]]:
    """The pictures, and which splits those without one are divided among.

    Of data with val or test alone beside train, and `dataset.val_share`, that is the test.
    """
    there = {picture.split for picture in pictures}
    if there in ({None}, {"train"}):
        if splitting.shares is None:
            what = "no splits" if there == {None} else "no val and no test, only train"
            raise UserError(
                f"{source} has {what}. Give the shares of train, val and test: 'dataset.split=[0.8,0.1,0.1]'. Expected "
                f"that, or {LAYOUT}."
            )
        whole = [replace(picture, split=None) for picture in pictures]
        return whole, SPLITS
    if None in there:
        raise UserError(f"{source} gives some pictures a split and others none. Expected one for each, or for none.")
    if splitting.shares is not None:
        raise UserError(
            f"dataset.split is given, but {source} has splits of its own ({', '.join(sorted(map(str, there)))})."
        )
    if splitting.val_share is None:
        if there in ({"train", "val", "test"}, {"test"}):
            if splitting.group is not None:
                warn(f"dataset.group changes nothing: {source} has splits of its own.")
            return list(pictures), ()
        lacking = [split for split in SPLITS if split not in there]
        way = "" if "train" in lacking else (
            " To take val from train (what lies beside train is the test then): dataset.val_share=0.1"
        )  # fmt: skip
        raise UserError(f"{source} has no {' and no '.join(lacking)}, only {', '.join(sorted(map(str, there)))}.{way}")
    if "train" not in there or len(there) != 2:
        raise UserError(
            f"dataset.val_share={splitting.val_share}: {source} has {', '.join(sorted(map(str, there)))}; expected "
            "train, and val or test, which is the test then."
        )
    if "val" in there:
        print("What lies beside train is the test; val is taken from train.")
    told = [replace(of, split=None if of.split == "train" else "test") for of in pictures]
    return told, ("train", "val")


def groups_of(
    images: NDArray[np.uint8], pictures: Sequence[Picture], splitting: Splitting, progress: Progress
) -> NDArray[np.int64]:
    """(N,): the images that stay together: the same or nearly the same picture, or the same group."""
    _, first, same = np.unique(image_identities(images), return_index=True, return_inverse=True)
    pairs = [np.stack([np.arange(len(images)), first[same]], axis=1)]
    if len(first) <= LIMIT:
        near = near_duplicates(images[first], progress)
        pairs += [first[near.shifted], first[near.mirrored]]
    else:
        warn(f"Of more than {LIMIT:,} pictures only equal ones are kept in one split, not those that are nearly so.")
    names = [picture.group or splitting.group_of(picture.path.name) for picture in pictures]
    if splitting.group and not any(names):
        raise UserError(
            f"dataset.group={splitting.group} is found in no picture's name, such as {pictures[0].path.name}."
        )
    return together(len(images), np.concatenate(pairs).astype(np.int64), names)


def parted(
    labels: NDArray[np.uint8], groups: NDArray[np.int64], among: Sequence[str], splitting: Splitting, source: Path
) -> list[str]:
    """The split of each image; UserError, saying what shares would do, where one has none or train lacks a class."""
    key, asked = "dataset.split", tuple(splitting.shares or ())
    if splitting.val_share is not None and len(among) == 2:
        key, asked = "dataset.val_share", (1 - splitting.val_share, splitting.val_share)

    def told(shares: Sequence[float]) -> str:
        return f"{key}={shares[1]:g}" if len(shares) == 2 else f"{key}=[{','.join(f'{share:g}' for share in shares)}]"

    part = split_rows(labels, groups, asked, splitting.seed)
    if is_whole(part, labels, len(among)):
        return [among[number] for number in part]
    empty = [split for number, split in enumerate(among) if number not in part]
    lacks = f"the {' and the '.join(empty)} split without pictures" if empty else "train without pictures of some class"
    near = nearest_shares(labels, groups, asked, splitting.seed)
    way = f"These shares would do: '{told(near)}'." if near else (
        "No shares would do. Expected more pictures, or a csv whose column split gives each picture its own."
    )  # fmt: skip
    raise UserError(
        f"{told(asked)} leaves {lacks}: {source} has {groups.max() + 1} sets of pictures of which each stays in one "
        f"split (near-duplicates, and those of one dataset.group). {way}"
    )


def check_whole(splits: dict[str, RawSplit], classes: Sequence[str], source: Path) -> None:
    if not len(splits["train"]) and not len(splits["val"]):
        return  # a test alone
    for split, of in splits.items():
        if not len(of):
            raise UserError(f"{source} leaves the {split} split without pictures. Expected some in each.")
    missing = [name for index, name in enumerate(classes) if index not in set(splits["train"].labels.tolist())]
    if missing:
        raise UserError(
            f"{source} has no pictures of {', '.join(missing)} in train. "
            f"Expected some of every class: {', '.join(classes)}."
        )
