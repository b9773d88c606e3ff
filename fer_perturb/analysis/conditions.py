"""Which rows of a table are asked for, in words: `scheme=perturb,baseline seed<5`."""

import operator
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml

from fer_perturb.errors import UserError

ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
SIGN = "<=|>=|!=|=|<|>"
EXPECTED = 'expected key=value, key!=value, key=one,other or key<number; key="two words" for a value with spaces'


@dataclass(frozen=True)
class Condition:
    """key=value,value: one of those; key!=value,value: none of those; key<number and so on. What is missing is null."""

    key: str
    sign: str
    values: Sequence[Any]

    def holds(self, row: Mapping[str, Any]) -> bool:
        value = row.get(self.key)
        if self.sign in ORDER:
            return isinstance(value, int | float) and ORDER[self.sign](value, self.values[0])
        return (value in self.values or str(value) in self.values) == (self.sign == "=")


def conditions(text: str) -> list[Condition]:
    """The conditions of `text`, which spaces part and all of which must hold. Raises UserError for what is none."""
    try:
        words = shlex.split(re.sub(rf"\s*({SIGN})\s*", r"\1", text))
    except ValueError as error:
        raise UserError(f"where: a quotation mark is not closed in {text}: {EXPECTED}.") from error
    return [_condition(word) for word in words]


def _condition(word: str) -> Condition:
    parts = re.fullmatch(rf"([^=<>!]+)({SIGN})(.*)", word)
    if not parts:
        raise UserError(f"where: {word} is no condition: {EXPECTED}.")
    key, sign, value = parts.groups()
    if sign not in ORDER:
        return Condition(key, sign, [of for part in value.split(",") for of in (part, _typed(part))])
    number = _typed(value)
    if not isinstance(number, int | float):
        raise UserError(f"where: {word}: expected a number after {sign}.")
    return Condition(key, sign, [number])


def _typed(word: str) -> Any:
    """A number, true, false or null where a config would have it so."""
    try:
        return yaml.safe_load(word)
    except yaml.YAMLError:
        return word


def refuse_unknown(asked: Sequence[Condition], known: Collection[str]) -> None:
    """UserError for a condition on a key that no row has."""
    for condition in asked:
        if condition.key not in known:
            near = get_close_matches(condition.key, known, n=3)
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            raise UserError(f"where: no run has {condition.key}.{meant} Expected a key of config.yaml or summary.json.")
