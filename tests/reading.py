"""Which keys of a composed config a call really reads: by attribute, by index, by `get`, or as a dataclass's field.

What takes the config as a whole, to copy it, to hash it or to write it down, reads none of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from fer_perturb import settings
from fer_perturb.tasks import recipe, scheme

WATCHED = "watched"  # the flag of a config, and of its copies, whose reading counts
# what is handed on, to Lightning, torch or timm, is checked by the function that takes it
HANDED_ON = ("recipe.optimizer", "recipe.scheduler", "trainer", "model.kwargs", "attention_model.kwargs")


@contextmanager
def reads(config: DictConfig) -> Iterator[set[str]]:
    """The full names of the keys of `config` that are read in the meantime."""
    found: set[str] = set()
    get, build = DictConfig._get_impl, settings.settings_from
    config._set_flag(WATCHED, True)

    def get_noted(node: DictConfig, key: Any, *rest: Any, **named: Any) -> Any:
        if node._get_flag(WATCHED):
            found.add(node._get_full_key(key))
        return get(node, key, *rest, **named)

    def build_noted(cls: Any, values: dict[str, Any], key: str) -> Any:
        found.update(f"{key}.{name}" for name in values)  # it refuses what is no field of `cls`
        return build(cls, values, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DictConfig, "_get_impl", get_noted)
        for module in (recipe, scheme):
            patch.setattr(module, "settings_from", build_noted)
        yield found
    config._set_flag(WATCHED, None)


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
