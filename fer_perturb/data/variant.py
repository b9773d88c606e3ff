"""Prepared data as conf/dataset asks for them: which faces are left out, whose labels count, and what is hidden."""

from typing import Any

from fer_perturb.data.ferplus.labels import labelled_by_votes
from fer_perturb.data.occlusion.occluder import Occluder
from fer_perturb.data.packed import PackedData
from fer_perturb.errors import UserError


def variant_of(data: PackedData, dataset: Any) -> PackedData:
    """`data` under `unplaced`, `labels` and `occluder` of `dataset`, a mapping like conf/dataset's.

    Raises UserError that names the key, or says how to place the landmarks that it needs.
    """
    asked, made = unplaced(dataset), data.manifest["source"].get("unplaced")
    if made is not None and made != asked:  # MaskFer: its masks are drawn, or its faces left out, already
        raise UserError(
            f"{data.root} was made with dataset.unplaced={made}, and not with {asked}. Prepare it again: "
            f"python -m fer_perturb.prepare dataset=maskfer dataset.unplaced={asked} dataset.name={data.root.name} "
            f"dataset.of={data.manifest['source']['of']['name']}"
        )
    if asked == "drop":
        data = data.without_unplaced()
    if labels(dataset) == "ferplus":
        data = labelled_by_votes(data)
    return data.occluded(Occluder.from_name(dataset.get("occluder", "none")))


def unplaced(dataset: Any) -> str:
    """What becomes of faces that landmarks could not be placed on: `mean` (their shape) or `drop`. Raises UserError."""
    asked = str(dataset.get("unplaced", "mean"))
    if asked not in ("mean", "drop"):
        raise UserError(f"dataset.unplaced={asked}: expected mean or drop.")
    return asked


def labels(dataset: Any) -> str:
    """Whose labels count: the data's `own`, or `ferplus`, the plurality of its votes. Raises UserError."""
    asked = str(dataset.get("labels", "own"))
    if asked not in ("own", "ferplus"):
        raise UserError(
            f"dataset.labels={asked}: expected own or ferplus. FER+'s csv is given in preparing the data: votes=PATH"
        )
    return asked
