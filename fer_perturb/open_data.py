"""The packed dataset of a config; drawn faces are made on first use."""

from pathlib import Path

from omegaconf import DictConfig

from fer_perturb.data.packed import PackedData, load_packed
from fer_perturb.data.shown import shown, unplaced
from fer_perturb.errors import UserError


def open_data(config: DictConfig) -> PackedData:
    """The data, as the config asks to see them (see shown.py).

    Raises UserError, saying which command prepares the data or their landmarks, where they are not there.
    """
    return shown(_whole(config), config.dataset)


def _whole(config: DictConfig) -> PackedData:
    root = Path(config.paths.data, str(config.dataset.name))
    if config.dataset.kind == "synthetic":
        from fer_perturb.data.prepare_dataset import prepare_synthetic

        drawing = config.dataset.drawing
        counts = {"n_train": drawing.train, "n_val": drawing.val, "n_test": drawing.test}
        return prepare_synthetic(root, seed=drawing.seed, cue=drawing.cue, **counts)
    data = load_packed(root)
    made = data.manifest["source"]
    if config.dataset.kind == "maskfer" and "unplaced" in made:  # not as its author released it
        was, asked = (made["unplaced"], made["of"]["name"]), (unplaced(config.dataset), str(config.dataset.of))
        if was != asked:
            raise UserError(
                f"{root} was made with dataset.unplaced={was[0]} dataset.of={was[1]}, and not with {asked[0]} and "
                f"{asked[1]}. Prepare it again: python -m fer_perturb.prepare dataset=maskfer "
                f"dataset.unplaced={asked[0]} dataset.of={asked[1]}"
            )
    return data
