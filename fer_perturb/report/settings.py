"""Which runs of a command may stand in one table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_perturb.experiment.identity import comparable
from fer_perturb.runs.run_directory import read_settings

Run = tuple[Path, dict[str, Any]]  # a run's directory and its summary


def settings(runs: Sequence[Run], *, networks: bool = False) -> list[list[Run]]:
    """The runs in groups, in which nothing but seed, scheme, what is hidden, and what they are tested on differs.

    networks: and the network.

    In the summaries that come back, schemes of one name with different keys have those keys beside their names, so that
    they are not taken for seeds of each other.
    """
    groups: dict[str, list[tuple[Run, dict[str, Any]]]] = {}
    for run in runs:
        of = read_settings(run[0])
        shared, scheme = comparable({**of, "model": None} if networks else of)
        groups.setdefault(shared, []).append((run, _flat(scheme)))
    return [_told_apart(of) for of in groups.values()]


def _flat(scheme: dict[str, Any]) -> dict[str, Any]:
    """Keys of parts as they are typed: regions.n_clusters."""
    found: dict[str, Any] = {}
    for key, value in scheme.items():
        if isinstance(value, dict):
            found |= {f"{key}.{name}": of for name, of in _flat(value).items()}
        else:
            found[key] = value
    return found


def _told_apart(of: list[tuple[Run, dict[str, Any]]]) -> list[Run]:
    told = []
    for (directory, summary), scheme in of:
        same = [
            other
            for (_, beside), other in of
            if other["name"] == scheme["name"] and beside["model"] == summary["model"]
        ]
        keys = [key for key in scheme if any(other.get(key) != scheme[key] for other in same)]
        differing = [f"{key}={scheme[key]}" for key in keys]
        told.append((directory, {**summary, "scheme": ", ".join([scheme["name"], *differing])}))
    return told
