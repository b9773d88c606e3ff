"""Settings are checked where they are made (pydantic), and people are told which key of the config is wrong."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ConfigDict, ValidationError

from fer_perturb.errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)
"""No value is bent to fit: "3" is no number, and 1 is not true."""

Made = TypeVar("Made", bound="DataclassInstance")


def checked(make: type[Made], values: dict[str, Any], key: str) -> Made:
    """`make(**values)`, values being those under the config key `key`.

    Raises UserError, naming the key, for one that is missing or unknown, and for a value that does not fit.
    """
    names = [field.name for field in fields(make)]
    if unknown := [name for name in values if name not in names]:
        raise UserError(f"{key}.{unknown[0]}: there is no such key; expected one of {', '.join(names)}.")
    with told(key):
        return make(**values)


@contextmanager
def told(key: str) -> Iterator[None]:
    """Turns the complaints of settings under the config key `key` into a UserError."""
    try:
        yield
    except ValidationError as error:
        raise UserError(complaint(error, key)) from error
    except ValueError as error:
        raise UserError(f"{key}: {error}") from error


def complaint(error: ValidationError, key: str) -> str:
    """The first thing that is wrong, in a sentence that names its key."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in (key, *first["loc"][:1]))
    if first["type"] in ("unexpected_keyword_argument", "unexpected_positional_argument"):
        return f"{path}: there is no such key."
    if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"{path} is missing."
    if first["type"] == "value_error":  # of all values together; it may name the one that is wrong
        reason = str(first["ctx"]["error"])
        return f"{key}.{reason}" if re.match(r"\w+=", reason) else f"{key}: {reason}"
    expected = first["msg"].replace("Input should be ", "").replace("a valid integer", "a whole number")
    return f"{path}={first['input']}: expected {expected}."


def made(settings: dict[str, Any], key: str) -> Any:
    """What `_target_` makes of the settings under the config key `key`; UserError, naming the key, where it cannot."""
    from hydra.errors import InstantiationException  # here, so that the mathematics needs no Hydra
    from hydra.utils import instantiate

    if "_target_" not in settings:
        raise UserError(f"{key}._target_ is missing: expected the class that makes it.")
    try:
        return instantiate(settings)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, ValidationError):
            raise UserError(complaint(cause, _nested(error, key))) from error
        whole = str(cause or error)
        reason = " ".join(whole.split()) if isinstance(cause, ImportError) else whole.splitlines()[0]
        raise UserError(f"{key} cannot be made: {reason}") from error


def _nested(error: Exception, key: str) -> str:
    """The key of a part inside the part under `key`, which Hydra names in its last line."""
    for line in str(error).splitlines():
        if line.startswith("full_key: "):
            return line.removeprefix("full_key: ") or key
    return key
