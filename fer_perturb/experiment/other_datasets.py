"""The datasets of `test_on`: what a predictor is tested on besides its own data."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_perturb.data.occlusion.occluder import Occluder
from fer_perturb.data.packed import PackedData, load_packed
from fer_perturb.data.variant import unplaced, variant_of
from fer_perturb.errors import UserError, warn
from fer_perturb.experiment.identity import Settings


def canonical_names(asked: Any) -> list[str]:
    """The datasets of `test_on` under their predictions' names: fer2013+mouth as fer2013+mouth@1."""
    if isinstance(asked, str):
        raise UserError(f"test_on={asked}: expected a list of datasets, test_on=[{asked}].")
    names = []
    for base, _, given in (str(name).partition("+") for name in asked):
        occluder = Occluder.from_name(given) if given else None
        names.append(f"{base}+{occluder.name}" if occluder else base)
    return list(dict.fromkeys(names))


def other_datasets(settings: Settings, own: PackedData) -> list[PackedData]:
    """Those of `test_on` (canonical names) other than `own`, of which they leave out the same unplaced faces."""
    found = []
    for name in settings["test_on"]:
        if name != own.name:
            whole, _, occluder = name.partition("+")
            base, _, labels = whole.partition("@")  # fer2013@ferplus: by FER+'s votes
            asked = {
                "unplaced": unplaced(settings["dataset"]),
                "labels": labels or "own",
                "occluder": occluder or "none",
            }
            data = variant_of(load_packed(Path(settings["paths"]["data"], base)), asked)
            found.append(matched(data, own, f"test_on={name}"))
    return found


def matched(data: PackedData, own: PackedData, given: str) -> PackedData:
    """`data` with its labels as indices into the classes of `own`, matched by name, to test a network of those.

    Classes that `data` lacks are said: an answer of theirs counts as wrong. Raises UserError, beginning with what was
    `given`, where `data` has classes that `own` lacks, or images of another size.
    """
    if data.image_size != own.image_size:
        raise UserError(
            f"{given}: its images have {data.image_size[0]}x{data.image_size[1]} pixels; expected "
            f"{own.image_size[0]}x{own.image_size[1]}, those of {own.name}."
        )
    if unknown := [name for name in data.classes if name not in own.classes]:
        raise UserError(
            f"{given}: it has the class{'es' * (len(unknown) > 1)} {', '.join(unknown)}, which the network does not "
            f"know; expected some of {', '.join(own.classes)}, those of {own.name}."
        )
    if lacking := [name for name in own.classes if name not in data.classes]:
        warn(f"{given}: it has no {', '.join(lacking)}; where the network says so it counts as wrong.")
    if data.classes == own.classes:
        return data
    label_of = np.array([own.classes.index(name) for name in data.classes], dtype=np.uint8)
    splits = {name: replace(split, labels=label_of[split.labels]) for name, split in data.splits.items()}
    changed_by = {**data.changed_by, "classes": list(data.classes)}  # what the labels on disk mean
    return replace(data, classes=own.classes, splits=splits, changed_by=changed_by)
