"""All runs under some folders as one table, a row a run."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
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
SAID_BY_THESE = {"seed", "dataset.name", "model.backbone", "scheme.name", "recipe.name", "recipe.precision"}
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
    rows = list(_rows(roots or ("outputs",)))
    refuse_unknown(asked, {key for chosen, reached in rows for key in (*chosen, *reached)})
    kept = [(chosen, reached) for chosen, reached in rows if all(one.holds({**chosen, **reached}) for one in asked)]
    if not kept:
        raise UserError(f"where={where}: no run is so, of {len(rows)}.")
    choices = {key: None for chosen, _ in kept for key in chosen}
    named = {one.key for one in asked}
    shown = [key for key in choices if key in named or len({chosen.get(key) for chosen, _ in kept}) > 1]
    reached = {key: None for _, reached in kept for key in reached}
    columns = [*FIRST, *shown, *(key for key in reached if key not in FIRST)]
    together = [{**chosen, **reached} for chosen, reached in kept]
    return pd.DataFrame({key: _column([row.get(key) for row in together]) for key in columns})


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


def _column(values: list[Any]) -> list[Any]:
    """Values of one type: words, where there are words among them."""
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) < 2 or kinds == {int, float}:
        return values
    return [None if value is None else str(value) for value in values]


def _rows(roots: Sequence[str | Path]) -> Iterator[tuple[Row, Row]]:
    """What each run chose, and what it is and reached."""
    seen: dict[tuple[str, str | None], Path] = {}
    unfinished = 0
    for root in map(Path, roots):
        found = find_runs(root)
        unfinished += len(found.unfinished)
        for sentence in found.foreign:
            warn(f"{sentence} It is left out.")
        for run in found.finished:
            try:
                summary, settings = _read(run)
            except UserError as error:
                warn(f"{error} It is left out.")
                continue
            same = summary["config_hash"], (summary["phases"]["predictor"] or {}).get("key")
            if same in seen:
                warn(f"{run} is the run that {seen[same]} is. It is left out.")
                continue
            seen[same] = run
            chosen = {key: value for key, value in _choices(settings) if key not in SAID_BY_THESE}
            what = {"run": str(run), "recipe": settings["recipe"]["name"]}
            told = ((key, value) for key, value in summary.items() if key not in OF_FILES)
            yield chosen, what | dict(_flat(told))
    if unfinished:
        warn(f"Unfinished runs that are left out: {unfinished}.")
    if not seen:
        raise UserError(f"{', '.join(map(str, roots))}: there is no finished run. Expected a folder such as outputs.")


def _read(run: Path) -> tuple[Row, Settings]:
    """A run's summary and what decided its result. Raises UserError where one of them is damaged, or no run's."""
    summary = sealed_summary(run, str(run))
    try:
        text = (run / "config.yaml").read_bytes()
        known = summary.get("files", {}).get("config.yaml")  # older ones do not say
        if known and hashlib.sha256(text).hexdigest() != known:
            raise UserError(f"{run}: config.yaml is damaged. {MEND}")
        settings: Settings = {}
        for section in SECTION.split(text):
            settings |= _parsed(section)
        summary["config_hash"], summary["phases"]["predictor"], settings["recipe"]["name"]
        return summary, decisive(settings)
    except OSError as error:
        raise UserError(f"{run}: config.yaml cannot be read ({error.strerror}). {MEND}") from error
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())
        raise UserError(f"{run}: its summary.json and config.yaml are no run's ({told}).") from error


@lru_cache(maxsize=10_000)
def _parsed(section: bytes) -> Settings:
    """One key of a config with all that is under it: the runs of a sweep have most of them in common."""
    return yaml.load(section, LOADER) or {}


def _choices(settings: Settings, under: str = "") -> Iterator[tuple[str, Any]]:
    """Keys as they are typed -> their values; of what a `_target_` makes, its key -> the name of the class."""
    for key, value in settings.items():
        path = f"{under}{key}"
        if isinstance(value, dict):
            yield from _choices(value, f"{path}.")
        elif key == "_target_":
            yield under.removesuffix("."), value.rpartition(".")[2]
        elif not key.startswith("_"):
            yield path, json.dumps(value) if isinstance(value, list) else value


def _flat(items: Iterable[tuple[Any, Any]], under: str = "") -> Iterator[tuple[str, Any]]:
    """Path -> value of what is in dictionaries and lists, other than null."""
    for key, value in items:
        path = f"{under}{key}"
        if isinstance(value, dict):
            yield from _flat(value.items(), f"{path}.")
        elif isinstance(value, list):
            yield from _flat(enumerate(value), f"{path}.")
        elif value is not None:
            yield path, value
