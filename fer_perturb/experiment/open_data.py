"""The packed dataset of a config; drawn faces are made on first use."""

from pathlib import Path

import rich
from omegaconf import DictConfig

from fer_perturb.data.file_names import folder_name
from fer_perturb.data.landmarks import unplaced_table
from fer_perturb.data.packed import PackedData, load_packed
from fer_perturb.data.shown import shown, unplaced
from fer_perturb.errors import UserError, say


def open_data(config: DictConfig) -> PackedData:
    """The data, as the config asks to see them (see shown.py); says what is left out, and whose landmarks are a guess.

    Raises UserError, saying which command prepares the data or their landmarks, where they are not there.
    """
    whole = prepared(config)
    data = shown(whole, config.dataset)
    if "labels" in data.changed_by:
        counts = [f"{len(data.splits[name]):,} of {len(of):,} in {name}" for name, of in whole.splits.items()]
        say(f"Labels by FER+'s votes, of the images that have a plurality: {', '.join(counts)}")
    if "landmarks" in data.changed_by and not all(whole.placed(split).all() for split in whole.splits):
        left_out = unplaced(config.dataset) == "drop"
        rich.print(unplaced_table(whole, "they are left out" if left_out else "what the mean shape has is hidden"))
    return data


def prepared(config: DictConfig) -> PackedData:
    """The data as they lie on disk, every face whole."""
    root = Path(config.paths.data, folder_name(config.dataset.name))
    if config.dataset.kind == "synthetic":
        from fer_perturb.data.prepare_dataset import prepare_synthetic

        drawing = config.dataset.drawing
        counts = {"n_train": drawing.train, "n_val": drawing.val, "n_test": drawing.test}
        return prepare_synthetic(root, seed=drawing.seed, cue=drawing.cue, strength=drawing.strength, **counts)
    data = load_packed(root)
    made = data.manifest["source"]
    if config.dataset.kind == "maskfer" and "of" in made:  # not as its author released it
        was, asked = made["of"]["name"], str(config.dataset.of)
        if was != asked:
            raise UserError(
                f"{root} was made with dataset.of={was}, and not with {asked}. Prepare it again: "
                f"python -m fer_perturb.prepare dataset=maskfer dataset.of={asked}"
            )
    return data
