"""The packed dataset of a config; what makes it on first use, or reads it."""

from pathlib import Path
from typing import Any

import rich
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from fer_perturb.data.file_names import folder_name
from fer_perturb.data.landmarks.placing import unplaced_table
from fer_perturb.data.packed import PackedData, load_packed
from fer_perturb.data.variant import unplaced, variant_of
from fer_perturb.errors import UserError, say


def open_dataset(config: DictConfig) -> PackedData:
    """The data as the config asks for them (data/variant.py); says what is left out, and whose landmarks are a guess.

    Raises UserError, saying which command prepares the data or their landmarks, where they are not there.
    """
    whole = prepared(config)
    data = variant_of(whole, config.dataset)
    if "labels" in data.changed_by:
        counts = [f"{len(data.splits[name]):,} of {len(of):,} in {name}" for name, of in whole.splits.items()]
        say(f"Labels by FER+'s votes, of the images that have a plurality: {', '.join(counts)}")
    if "landmarks" in data.changed_by and not all(whole.placed(split).all() for split in whole.splits):
        left_out = unplaced(config.dataset) == "drop"
        rich.print(unplaced_table(whole, "they are left out" if left_out else "what the mean shape has is hidden"))
    return data


def prepared(config: DictConfig) -> PackedData:
    """The data as they lie on disk, every face whole."""
    dataset = config.dataset
    root = Path(config.paths.data, folder_name(dataset.name))
    if "maker" in dataset:
        from fer_perturb.data.packing import make

        return make(root, from_config(dataset, "maker"), kind=dataset.kind)
    data = load_packed(root, dataset.kind)
    made = data.manifest["source"]
    if "of" in dataset and "of" in made:  # MaskFer, and not as its author released it
        was, asked = made["of"]["name"], str(dataset.of)
        if was != asked:
            raise UserError(
                f"{root} was made with dataset.of={was}, and not with {asked}. Prepare it again: "
                f"python -m fer_perturb.prepare dataset=maskfer dataset.of={asked}"
            )
    return data


def from_config(dataset: DictConfig, key: str) -> Any:
    """The `reader` or `maker` of conf/dataset (see data/readers/reader.py); UserError where it cannot be had."""
    wanted = f"Expected in dataset.{key} a _target_ that can be imported, and its arguments."
    try:
        made = instantiate(dataset[key], _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(f"dataset.{key}: {' '.join(str(error.__cause__ or error).split())} {wanted}") from error
    if isinstance(made, dict):
        raise UserError(f"dataset.{key} has no _target_. {wanted}")
    return made
