"""The packed dataset of a config; drawn faces are made on first use."""

from pathlib import Path

from omegaconf import DictConfig

from fer_perturb.data.occluders import Occluder
from fer_perturb.data.packed import PackedData, load_packed


def open_data(config: DictConfig) -> PackedData:
    """The data, with an occluder where the config names one.

    Raises UserError, saying which command prepares the data or their landmarks, where they are not there.
    """
    return _whole(config).occluded(Occluder.from_config(config.dataset))


def _whole(config: DictConfig) -> PackedData:
    root = Path(config.paths.data, str(config.dataset.name))
    if config.dataset.kind == "synthetic":
        from fer_perturb.data.prepare_dataset import prepare_synthetic

        drawing = config.dataset.drawing
        counts = {"n_train": drawing.train, "n_val": drawing.val, "n_test": drawing.test}
        return prepare_synthetic(root, seed=drawing.seed, cue=drawing.cue, **counts)
    return load_packed(root)
