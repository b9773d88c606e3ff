"""What is searched, as conf/search says it, and what is typed for one point of it."""

import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from fer_perturb.errors import UserError

Distribution = CategoricalDistribution | FloatDistribution | IntDistribution
Space = dict[str, Distribution]
"""Key of the config -> from where its value is drawn."""

RANGE = {"low", "high", "log", "step"}
EXPECTED = "expected a list of choices, or {low: …, high: …} with log: true or step: … if you like"


def distributions(space: Mapping[str, Any], fixed: Collection[str]) -> Space:
    """Key of the config -> from where its value is drawn; keys that are `fixed` are left out.

    Raises UserError for what is no such space.
    """
    found = {key: of for key, of in _distributions(space, "", "search.space") if key not in fixed}
    if not found:
        raise UserError(f"search.space has no key that is not set already: for each one {EXPECTED}.")
    return found


def lowest(space: Space) -> dict[str, Any]:
    """A point of the space: the first choices, and the lower ends."""
    return {key: of.choices[0] if isinstance(of, CategoricalDistribution) else of.low for key, of in space.items()}


def _distributions(space: Mapping[str, Any], under: str, where: str) -> Iterator[tuple[str, Distribution]]:
    for name, of in space.items():
        key, told = f"{under}{name}", f"{where}.{name}"
        if isinstance(of, dict) and not RANGE & set(of):
            yield from _distributions(of, f"{key}.", told)
            continue
        try:
            yield key, _distribution(of)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{told}={of}: {EXPECTED} ({' '.join(str(error).split())}).") from error


def _distribution(of: Any) -> Distribution:
    if isinstance(of, list):
        return CategoricalDistribution(of)
    low, high, log, step = of["low"], of["high"], of.get("log", False), of.get("step")
    if unknown := set(of) - RANGE:
        raise ValueError(f"it has no {', '.join(sorted(unknown))}")
    if all(isinstance(bound, int) for bound in (low, high)):
        return IntDistribution(low, high, log=log, step=step or 1)
    return FloatDistribution(low, high, log=log, step=step)


def overrides(point: Mapping[str, Any]) -> list[str]:
    """What is typed for a point of the space."""
    return [f"{key}={_typed(value)}" for key, value in point.items()]


def _typed(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def command(words: list[str]) -> str:
    """The command that trains and tests with these overrides, to be pasted."""
    return shlex.join(["python", "-m", "fer_perturb.train", *words])
