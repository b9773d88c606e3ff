"""Which keys of a composed config a call really reads: of the config, of its resolved settings, or of what is made of
those.

What takes settings as a whole, to check them, to copy them, to hash them or to write them down, reads none of them.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

import pytest
from omegaconf import DictConfig, Node, OmegaConf

from fer_perturb.data.augmentation.augment import AugmentationSettings
from fer_perturb.experiment import experiment
from fer_perturb.experiment.networks import NetworkSettings
from fer_perturb.experiment.recipe import Recipe
from fer_perturb.perturb.clusters import ClusterSettings
from fer_perturb.runs.run_directory import describe_run
from fer_perturb.schemes.attention.phase_one import PhaseOneGates
from fer_perturb.schemes.regions.clusters import Clusters
from fer_perturb.schemes.regions.one_region import OneRegion
from fer_perturb.schemes.scheme import Scheme
from fer_perturb.schemes.views import Views
from fer_perturb.tasks import chain

WATCHED = "watched"  # the flag of a config, and of its copies, whose reading counts
MADE = {  # of the settings under these keys
    Recipe: "recipe",
    AugmentationSettings: "recipe.augmentation",
    Scheme: "scheme",
    PhaseOneGates: "scheme.attention",
    Clusters: "scheme.regions",
    ClusterSettings: "scheme.regions",
    OneRegion: "scheme.control",
    Views: "scheme.views",
}
AS_A_WHOLE = ("identity", "_check", "__post_init__", "__eq__", "_not_all_alike")
# what is handed on, to Lightning, torch or timm, is checked by the function that takes it
HANDED_ON = (
    *("recipe.optimizer", "recipe.scheduler", "trainer", "callbacks", "logger"),
    *("model.kwargs", "attention_model.kwargs"),
)


class Noted(dict[str, Any]):
    """Resolved settings that note, under their full names, which of them are read by themselves."""

    def __init__(self, plain: dict[str, Any], under: str = "", found: set[str] | None = None) -> None:
        found = set() if found is None else found  # a copy that others make of it tells nobody
        inner = {k: Noted(v, f"{under}{k}.", found) if isinstance(v, dict) else v for k, v in plain.items()}
        super().__init__(inner)
        self.under, self.found = under, found

    def __getitem__(self, key: str) -> Any:
        self.found.add(f"{self.under}{key}")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.found.add(f"{self.under}{key}")
        return super().get(key, default)


def _plain(settings: Any) -> Any:
    """As a whole, of which nothing is noted."""
    return {key: _plain(value) for key, value in settings.items()} if isinstance(settings, dict) else settings


@contextmanager
def reads(config: DictConfig) -> Iterator[set[str]]:
    """The full names of the keys of `config`, and of all that is made of it, that are read in the meantime."""
    found: set[str] = set()
    get, resolve = DictConfig._get_impl, experiment.resolved
    config._set_flag(WATCHED, True)

    def get_noted(node: DictConfig, key: Any, *rest: Any, **named: Any) -> Any:
        if node._get_flag(WATCHED):
            found.add(node._get_full_key(key.value if isinstance(key, Enum) else key))  # Hydra's own are enums
        return get(node, key, *rest, **named)

    def note(of: Any, name: str, key: str) -> None:
        reader = sys._getframe(2)
        whole = any(part in AS_A_WHOLE for part in reader.f_code.co_qualname.split("."))
        if name in type(of).__dataclass_fields__ and not whole and reader.f_globals["__name__"] != "dataclasses":
            found.add(f"{key}.{name}")

    def watched(key: str) -> Any:
        def attribute_noted(of: Any, name: str) -> Any:
            note(of, name, key)
            return object.__getattribute__(of, name)

        return attribute_noted

    def of_network_noted(of: Any, name: str) -> Any:
        if name in ("backbone", "small_input", "kwargs", "attention_at"):
            group = object.__getattribute__(of, "group")
            found.add(f"{group}.{'attention.at' if name == 'attention_at' else name}")
        return object.__getattribute__(of, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DictConfig, "_get_impl", get_noted)
        patch.setattr(experiment, "resolved", lambda config: Noted(resolve(config), "", found))
        patch.setattr(chain, "describe_run", lambda settings, run: describe_run(_plain(settings), run))
        for made, key in MADE.items():
            patch.setattr(made, "__getattribute__", watched(key))
        patch.setattr(NetworkSettings, "__getattribute__", of_network_noted)
        yield found
    config._set_flag(WATCHED, None)
    found |= {pointed_at for name in found for pointed_at in _pointed_at(config, name)}


def _pointed_at(config: DictConfig, name: str) -> list[str]:
    """The keys that a key's value is said to be, as in ${dataset.resize}: who reads the one reads the other."""
    node: Any = config
    for part in name.split("."):
        inside = isinstance(node, DictConfig) and not node._is_none()
        node = node._get_node(part, validate_access=False) if inside else None
    raw = node._value() if isinstance(node, Node) and node._is_interpolation() else ""
    return re.findall(r"\$\{([\w.]+)\}", str(raw))


def read_by(call: Callable[[DictConfig], Any], config: DictConfig) -> set[str]:
    """The keys that `call(config)` reads."""
    with reads(config) as found:
        call(config)
    return found


def leaves(config: DictConfig, under: str = "") -> list[str]:
    """The full names of all keys that have values of their own; not what Hydra reads to make something."""
    names = []
    for key in config:
        path = f"{under}{key}"
        node: Any = None if OmegaConf.is_missing(config, key) else config._get_node(key)
        inner = isinstance(node, DictConfig) and not node._is_none() and path not in HANDED_ON
        if key != "_target_":
            names += leaves(node, f"{path}.") if inner else [path]
    return names
