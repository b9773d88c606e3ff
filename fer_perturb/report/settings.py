"""Which runs may stand in one table, and how the schemes of such runs are told apart."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_perturb.analysis.collected import config_of
from fer_perturb.experiment.identity import comparable
from fer_perturb.paper.values import reported

Run = tuple[Path, dict[str, Any]]
"""A run's directory and its summary. In those that `settings` gives back are also `kind`, its scheme's name, `chosen`,
that scheme's keys as they are typed, and `recipe`, its name."""


def settings(runs: Sequence[Run], *, networks: bool = False) -> list[list[Run]]:
    """The runs in groups, in which nothing but seed, scheme, what is hidden, and what they are tested on differs.

    networks: and the network.

    In the summaries that come back, schemes of one name with different keys have those keys beside their names, so that
    they are not taken for seeds of each other. Where one of them is set as in the paper, it has none, and the others
    have those in which they differ from it.
    """
    return list(_groups(runs, networks).values())


def named_settings(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The same of any networks, by a name: data and recipe, and the keys in which groups of one such name differ."""
    groups = {key: (_flat(json.loads(key)), of) for key, of in _groups(runs, networks=True).items()}
    named = {}
    for shared, of in groups.values():
        name = f"{shared['data'][0]}, recipe {shared['recipe.name']}"
        same = [other for other, _ in groups.values() if (other["data"], other["recipe.name"]) == _said(shared)]
        keys = sorted({key for other in same for key in other if other[key] != shared.get(key)})
        named[", ".join([name, *(f"{key}={shared.get(key)}" for key in keys)])] = of
    return named


def _said(shared: dict[str, Any]) -> tuple[Any, Any]:
    return shared["data"], shared["recipe.name"]


def _groups(runs: Sequence[Run], networks: bool) -> dict[str, list[Run]]:
    groups: dict[str, list[tuple[Run, dict[str, Any]]]] = {}
    for directory, summary in runs:
        of = config_of(directory)
        shared, scheme = comparable({**of, "model": None} if networks else of)
        run = directory, {**summary, "kind": scheme["name"], "recipe": of["recipe"]["name"]}
        groups.setdefault(shared, []).append((run, _flat(scheme)))
    return {shared: _told_apart(of) for shared, of in groups.items()}


def as_in_the_paper(chosen: dict[str, Any]) -> bool:
    """Whether a scheme is set as the paper says, and all views of an image are trained on (of `chosen` above)."""
    told = reported("settings").printed["perturb"]
    return chosen.get("views") == "AllViews" and all(chosen.get(key) == value for key, value in told.items())


def _flat(keys: dict[str, Any]) -> dict[str, Any]:
    """Keys as they are typed: regions.n_clusters; and what a `_target_` makes by its key and class."""
    found: dict[str, Any] = {}
    for key, value in keys.items():
        if isinstance(value, dict):
            found |= {f"{key}.{name}".removesuffix("._target_"): of for name, of in _flat(value).items()}
        else:
            found[key] = str(value).rpartition(".")[2] if key == "_target_" else value
    return found


def _told_apart(of: list[tuple[Run, dict[str, Any]]]) -> list[Run]:
    told = []
    for (directory, summary), scheme in of:
        same = [
            other
            for (_, beside), other in of
            if other["name"] == scheme["name"] and beside["model"] == summary["model"]
        ]
        usual = [other for other in same if as_in_the_paper(other)][:1]
        keys = [key for key in scheme if any(other.get(key) != scheme[key] for other in usual or same)]
        differing = [f"{key}={scheme[key]}" for key in keys]
        name = ", ".join([scheme["name"], *differing])
        told.append((directory, {**summary, "scheme": name, "chosen": scheme}))
    return told
