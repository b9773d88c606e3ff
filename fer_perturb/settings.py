"""Settings from a config, with errors that name the key."""

import math
from dataclasses import fields
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fer_perturb.errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


def settings_from(cls: type[Settings], values: dict[str, Any], key: str) -> Settings:
    """Builds the dataclass `cls` from the plain values under the config key `key`.

    Raises UserError for a key that is missing or unknown, and for a value of another type than the field's.
    """
    hints = get_type_hints(cls)
    names = [field.name for field in fields(cls)]
    for name in values:
        if name not in names:
            raise UserError(f"{key}.{name}: there is no such key; expected one of {', '.join(names)}.")
    for name in names:
        if name not in values:
            raise UserError(f"{key}.{name} is missing.")
        if not _fits(values[name], hints[name]):
            raise UserError(f"{key}.{name}={values[name]}: expected {_named(hints[name])}.")
    return cls(**values)


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in arguments
    if origin in (Union, UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and len(value) == len(arguments) and all(map(_fits, value, arguments))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return not isinstance(hint, type) or isinstance(value, hint)


def _named(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(str(argument) for argument in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_named(argument) for argument in arguments)
    if origin is tuple:
        return f"[{', '.join(_named(argument) for argument in arguments)}]"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", NoneType: "null"}
    return words.get(hint, str(hint))
