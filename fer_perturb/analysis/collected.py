"""All runs under some folders as one table, a row a run."""

import hashlib
import json
import re
from collections import ChainMap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fer_perturb.analysis.conditions import conditions, refuse_unknown
from fer_perturb.errors import UserError, warn
from fer_perturb.experiment.identity import Settings, decisive
from fer_perturb.files import atomic_file
from fer_perturb.runs.found_runs import find_runs
from fer_perturb.runs.summary_file import MEND, sealed_summary

if TYPE_CHECKING:
    import pandas as pd

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built so
SECTION = re.compile(rb"^(?=\w)", re.MULTILINE)  # each key of a config begins a line
# what a run is, before what it chose and what it reached
FIRST = ("run", "dataset", "model", "scheme", "recipe", "seed", "inference", "tta", "precision", "device", "commit")
SAID = {"dataset.name", "model.backbone", "scheme.name", "recipe.name", "recipe.precision"}  # by these
OF_FILES = {"files", "checksum", "tested_on"}  # keys of a summary that say whether files are whole

Row = dict[str, Any]


def collect(*roots: str | Path, where: str = "") -> "pd.DataFrame":
    """The finished runs under `roots` (default: outputs), a row a run.

    where: which of them, as in "scheme=perturb,baseline seed<5"; any key of a run's config or summary will do.

    Columns are the keys of summary.json ("test.accuracy", "phases.predictor.seconds"), and those of config.yaml in
    which the runs differ or that `where` names ("recipe.optimizer.lr"; "scheme.regions" is the name of its class). What
    a run does not have is missing. Damaged and foreign folders are left out, and told in a sentence each.

    Raises UserError where there are no such runs.
    """
    import pandas as pd  # here, so that --help is fast

    asked = conditions(where)
    found, told = find(roots or ("outputs",))
    for sentence in told:
        warn(sentence)
    if not found:
        raise UserError(nothing_in(roots or ("outputs",)))
    rows = [(run.chosen, run.reached) for run in found]
    refuse_unknown(asked, {key for row in rows for part in row for key in part})
    kept = [row for row in rows if all(one.holds(ChainMap(*row)) for one in asked)]
    if not kept:
        raise UserError(f"where={where}: no run is so, of {len(rows)}.")
    chosen, reached = [row[0] for row in kept], [row[1] for row in kept]
    named = {one.key for one in asked}
    differing = [key for key in _keys(chosen) if key in named or len({of.get(key) for of in chosen}) > 1]
    columns = {key: _column(reached, key) for key in FIRST}
    columns |= {key: _column(chosen, key) for key in differing}
    columns |= {key: _column(reached, key) for key in _keys(reached) if key not in columns}
    return pd.DataFrame(columns)


def _keys(rows: Sequence[Row]) -> dict[str, None]:
    """The keys of all rows, in their order."""
    return {key: None for row in rows for key in row}


def _column(rows: Sequence[Row], key: str) -> list[Any]:
    """The values of a key, of one type: words, where there are words among them."""
    values = [row.get(key) for row in rows]
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) < 2 or kinds == {int, float}:
        return values
    return [None if value is None else str(value) for value in values]


def write_frame(frame: "pd.DataFrame", out: Path) -> list[Path]:
    """Writes a table whole: `out`.parquet and `out`.csv, or `out` alone, if that is its ending. Where it lies."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    write = {".parquet": pa.parquet.write_table, ".csv": pa.csv.write_csv}
    files = [out] if out.suffix in write else [out.with_name(out.name + ending) for ending in write]
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for file in files:
        with atomic_file(file) as temporary:
            write[file.suffix](table, str(temporary))
    return files


@dataclass(frozen=True, eq=False)
class FoundRun:
    """A finished run: its folder; summary.json and config.yaml as they are; and both of them flat, as columns.

    Runs share what their configs have in common: `settings` are not to be changed.
    """

    directory: Path
    summary: dict[str, Any]
    settings: Settings
    chosen: Row
    reached: Row


def find(roots: Sequence[str | Path]) -> tuple[list[FoundRun], list[str]]:
    """The finished runs under `roots`, and a sentence on each thing there that is left out.

    Raises UserError where one of them is no folder.
    """
    runs: list[FoundRun] = []
    told: list[str] = []
    seen: dict[tuple[str, str | None], Path] = {}
    unfinished = 0
    for root in map(Path, roots):
        found = find_runs(root)
        unfinished += len(found.unfinished)
        told += [f"{sentence} It is left out." for sentence in found.foreign]
        for directory in found.finished:
            try:
                run = _read(directory)
            except UserError as error:
                told.append(f"{error} It is left out.")
                continue
            same = run.reached["config_hash"], run.reached.get("phases.predictor.key")
            if same in seen:
                told.append(f"{directory} is the run that {seen[same]} is. It is left out.")
                continue
            seen[same] = directory
            runs.append(run)
    if unfinished:
        told.append(f"Unfinished runs that are left out: {unfinished}.")
    return runs, told


def nothing_in(roots: Sequence[str | Path]) -> str:
    """What is told where there is no finished run."""
    return f"{', '.join(map(str, roots))}: there is no finished run. Expected a folder such as outputs."


def _read(run: Path) -> FoundRun:
    """A run, from its summary and its config. Raises UserError where a file is damaged, or no run's."""
    summary = sealed_summary(run, str(run))
    try:
        text = (run / "config.yaml").read_bytes()
        known = summary.get("files", {}).get("config.yaml")  # older ones do not say
        if known and hashlib.sha256(text).hexdigest() != known:
            raise UserError(f"{run}: config.yaml is damaged. {MEND}")
        sections = SECTION.split(text)
        recipe, chosen = _chosen(tuple(section for section in sections if not section.startswith(b"seed:")))
        reached: Row = {"run": str(run), "recipe": recipe, "config_hash": summary["config_hash"]}
        for key, value in summary.items():
            if key not in OF_FILES:
                _flatten(value, key, reached)
        return FoundRun(run, summary, _settings(sections), chosen, reached)
    except OSError as error:
        raise UserError(f"{run}: config.yaml cannot be read ({error.strerror}). {MEND}") from error
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())
        raise UserError(f"{run}: its summary.json and config.yaml are no run's ({told}).") from error


# the runs of a sweep have most of what they chose in common


@lru_cache(maxsize=10_000)
def _chosen(sections: tuple[bytes, ...]) -> tuple[str, Row]:
    """The recipe's name, and all else that decided the result and that no summary names: keys as they are typed."""
    settings = _settings(sections)
    found = dict(_choices(decisive(settings)))
    return settings["recipe"]["name"], {key: value for key, value in found.items() if key not in SAID}


def _settings(sections: Sequence[bytes]) -> Settings:
    settings: Settings = {}
    for section in sections:
        settings |= _parsed(section)
    return settings


@lru_cache(maxsize=10_000)
def _parsed(section: bytes) -> Settings:
    """One key of a config with all that is under it."""
    return yaml.load(section, LOADER) or {}


def _choices(settings: Settings, under: str = "") -> Iterator[tuple[str, Any]]:
    """Key -> value; of what a `_target_` makes, its key -> the name of the class."""
    for key, value in settings.items():
        path = f"{under}{key}"
        if isinstance(value, dict):
            yield from _choices(value, f"{path}.")
        elif key == "_target_":
            yield under.removesuffix("."), value.rpartition(".")[2]
        elif not key.startswith("_"):
            yield path, json.dumps(value) if isinstance(value, list) else value


def _flatten(value: Any, path: str, row: Row) -> None:
    """Puts what is in dictionaries and lists into a row, but for null."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{path}.{key}", row)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _flatten(inner, f"{path}.{place}", row)
    elif value is not None:
        row[path] = value


def config_of(run: Path) -> Settings:
    """config.yaml in the folder of a run; what runs have in common is parsed once, so it is not to be changed.

    Raises OSError or YAMLError where it cannot be read.
    """
    return _settings(SECTION.split((run / "config.yaml").read_bytes()))
