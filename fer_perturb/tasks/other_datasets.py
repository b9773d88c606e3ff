"""The datasets of `test_on`: what a predictor is tested on besides its own data."""

from pathlib import Path

from omegaconf import DictConfig

from fer_perturb.data.occluders import Occluder
from fer_perturb.data.packed import PackedData, load_packed
from fer_perturb.data.shown import shown, unplaced
from fer_perturb.errors import UserError


def with_canonical_names(config: DictConfig) -> DictConfig:
    """The config with the datasets of `test_on` under their predictions' names: fer2013+mouth as fer2013+mouth@1."""
    if isinstance(config.test_on, str):
        raise UserError(f"test_on={config.test_on}: expected a list of datasets, test_on=[{config.test_on}].")
    names = []
    for base, _, given in (str(name).partition("+") for name in config.test_on):
        occluder = Occluder.from_name(given) if given else None
        names.append(f"{base}+{occluder.name}" if occluder else base)
    config = config.copy()
    config.test_on = list(dict.fromkeys(names))
    return config


def other_datasets(config: DictConfig, own: PackedData) -> list[PackedData]:
    """Those of `config.test_on` (canonical names) other than `own`, of which they leave out the same unplaced faces."""
    found = []
    for name in config.test_on:
        if name != own.name:
            base, _, occluder = name.partition("+")
            asked = {"unplaced": unplaced(config.dataset), "occluder": occluder.split("+") if occluder else "none"}
            data = shown(load_packed(Path(config.paths.data, base)), asked)
            require_alike(data, own, f"test_on={name}")
            found.append(data)
    return found


def require_alike(data: PackedData, own: PackedData, given: str) -> None:
    """UserError, beginning with what was `given`, where a network trained on `own` cannot be tested on `data`."""
    if data.classes != own.classes or data.image_size != own.image_size:
        raise UserError(
            f"{given}: its classes or its image size are not those of {own.name}; expected "
            f"{', '.join(own.classes)} at {own.image_size[0]}x{own.image_size[1]} pixels."
        )
