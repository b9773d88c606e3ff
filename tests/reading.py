"""Which keys of a composed config a call really reads: by attribute, by index, by `get`, or from a dataclass of them.

What takes the config as a whole, to check it, to copy it, to hash it or to write it down, reads none of them.
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
from fer_perturb.tasks.recipe import Recipe
from fer_perturb.tasks.scheme import Scheme

WATCHED = "watched"  # the flag of a config, and of its copies, whose reading counts
SETTINGS = {Recipe: "recipe", Scheme: "scheme", AugmentationSettings: "recipe.augmentation"}
AS_A_WHOLE = ("content", "_check", "__post_init__", "__eq__")  # of settings, comprehensions in them included
# what is handed on, to Lightning, torch or timm, is checked by the function that takes it
HANDED_ON = ("recipe.optimizer", "recipe.scheduler", "trainer", "model.kwargs", "attention_model.kwargs")


@contextmanager
def reads(config: DictConfig) -> Iterator[set[str]]:
    """The full names of the keys of `config`, and of any settings made of one, that are read in the meantime."""
    found: set[str] = set()
    get = DictConfig._get_impl
    config._set_flag(WATCHED, True)

    def get_noted(node: DictConfig, key: Any, *rest: Any, **named: Any) -> Any:
        if node._get_flag(WATCHED):
            found.add(node._get_full_key(key.value if isinstance(key, Enum) else key))  # Hydra's own are enums
        return get(node, key, *rest, **named)

    def attribute_noted(of: Any, name: str) -> Any:
        reader = sys._getframe(1)
        whole = any(part in AS_A_WHOLE for part in reader.f_code.co_qualname.split("."))
        if name in type(of).__dataclass_fields__ and not whole and reader.f_globals["__name__"] != "dataclasses":
            found.add(f"{SETTINGS[type(of)]}.{name}")
        return object.__getattribute__(of, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DictConfig, "_get_impl", get_noted)
        for settings in SETTINGS:
            patch.setattr(settings, "__getattribute__", attribute_noted)
        yield found
    config._set_flag(WATCHED, None)
    found |= {pointed_at for name in found for pointed_at in _pointed_at(config, name)}


def _pointed_at(config: DictConfig, name: str) -> list[str]:
    """The keys that a key's value is said to be, as in ${dataset.resize}: who reads the one reads the other."""
    node: Any = config
    for part in name.split("."):
        node = (
            node._get_node(part, validate_access=False)
            if isinstance(node, DictConfig) and not node._is_none()
            else None
        )
    raw = node._value() if isinstance(node, Node) and node._is_interpolation() else ""
    return re.findall(r"\$\{([\w.]+)\}", str(raw))


def read_by(call: Callable[[DictConfig], Any], config: DictConfig) -> set[str]:
    """The keys that `call(config)` reads."""
    with reads(config) as found:
        call(config)
    return found


def leaves(config: DictConfig, under: str = "") -> list[str]:
    """The full names of all keys that have values of their own."""
    names = []
    for key in config:
        path = f"{under}{key}"
        node: Any = None if OmegaConf.is_missing(config, key) else config._get_node(key)
        inner = isinstance(node, DictConfig) and not node._is_none() and path not in HANDED_ON
        names += leaves(node, f"{path}.") if inner else [path]
    return names
