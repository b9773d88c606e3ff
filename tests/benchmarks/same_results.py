"""Whether results are the same, bit for bit, as those of another version of this project, on the same machine.

PYTHONPATH=tests python -m benchmarks.same_results OUT.json [--only NAME ...] [--against OTHER.json]

It runs the command lines of result_cases.py, and reads nothing but the predictions and the summaries that they leave.
"""

import argparse
import gc
import hashlib
import json
import os
import re
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from commanding import call
from rich.console import Console
from rich.table import Table

import fer_perturb
from benchmarks.result_cases import CASES, PREPARED

COUNTED = ("epochs", "passes", "flops")  # of a phase; what else a summary tells of it may change
HASH = re.compile(r"-[0-9a-f]{8}\b")  # of a config, in the names of runs

Result = dict[str, Any]  # of a case: what is counted, and the sha256 of each file's logits
Row = tuple[str, str, Any, Any]  # case, what, and its value here and there


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit status 1 where a case fails, or differs from the other file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument(
        "--only", nargs="+", choices=CASES, metavar="NAME", help="of result_cases.py; all where none is"
    )
    parser.add_argument("--against", type=Path, metavar="OTHER.json")
    chosen = parser.parse_args(arguments)
    other = json.loads(chosen.against.read_text()) if chosen.against else None

    found, failed = run(chosen.only or CASES)
    chosen.out.write_text(json.dumps(found, indent=1) + "\n")
    if failed:
        print(f"Failed: {', '.join(failed)}")
    rows = differences(found, other, chosen.only) if other else []
    if other and found["made_with"] != other["made_with"]:
        print(f"Made with {found['made_with']}, and {chosen.against} with {other['made_with']}: bits may differ so.")
    if rows:
        show(rows)
    elif other:
        print(f"Nothing differs from {chosen.against}.")
    sys.exit(int(bool(rows or failed)))


def run(names: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """The results of those cases, and the names of those that failed."""
    os.environ["OMP_NUM_THREADS"] = "1"  # which torch reads when it is imported
    from matplotlib.figure import Figure

    from benchmarks.report import processor, versions
    from benchmarks.result_sources import write_sources

    gc.freeze()  # each phase ends with a collection, which need not go through all that is imported
    cases: dict[str, Result] = {}
    failed, began = [], time.perf_counter()
    print(f"Results of {Path(fer_perturb.__file__).parent}", flush=True)  # there may be several checkouts
    place = tempfile.TemporaryDirectory(prefix="fer_perturb_results_", ignore_cleanup_errors=True)
    with place as folder, mock.patch.object(Figure, "savefig"):  # pictures would take a fifth of the time
        commands = Commands(Path(folder), write_sources(Path(folder)))
        for name, lines in {**{line: (line,) for line in PREPARED}, **{name: CASES[name] for name in names}}.items():
            started = time.perf_counter()
            try:
                result = commands.results(lines)
                if name in CASES:
                    cases[name] = result
            except Exception:  # the other cases may still tell something
                failed.append(name)
                print(traceback.format_exc())
            print(f"{time.perf_counter() - started:6.1f} s  {name}", flush=True)
    print(f"{time.perf_counter() - began:6.1f} s  {len(cases)} cases")
    return {"made_with": {"processor": processor(), **versions()}, "cases": cases}, failed


class Commands:
    """Runs command lines, each of them once, on data and outputs in `folder`; `sources`: paths by their names."""

    def __init__(self, folder: Path, sources: dict[str, Path]) -> None:
        self.data, self.outputs, self.sources = folder / "data", folder / "outputs", sources
        self.done: dict[str, tuple[Path | None, Result]] = {}

    def results(self, lines: Sequence[str]) -> Result:
        """What the last of `lines` leaves, in which {0}, {1}, … stand for the runs of those before."""
        runs: list[Path | None] = []
        result: Result = {}
        for line in lines:
            told = line.format(*runs, **self.sources)
            if told not in self.done:
                self.done[told] = self._run(told)
            run, result = self.done[told]
            runs.append(run)
        return result

    def _run(self, line: str) -> tuple[Path | None, Result]:
        """The run that a command line has made, if it makes one, and what is new."""
        module, *words = shlex.split(line)
        places = [f"paths.data={self.data}", f"paths.outputs={self.outputs}"]
        before = set(self.outputs.rglob("*"))
        said = StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            status = call(module, *words, *places)
        if status:
            raise RuntimeError(f"{line}\n{said.getvalue()}")
        new = [path for path in self.outputs.rglob("*") if path not in before]
        runs = [path.parent for path in new if path.name == "summary.json"]
        files = [path for path in new if path.suffix == ".parquet"]
        if (module == "train" and len(runs) != 1) or (module == "evaluate" and not files):
            raise RuntimeError(f"{line}\nmade {len(runs)} runs and {len(files)} files that no earlier case had made")
        return (runs[0], of_run(runs[0])) if runs else (None, of_predictions(files, self.outputs))


def of_run(run: Path) -> Result:
    """What must not change of a run: what its phases counted, and the logits, those of phase 1 among them."""
    phases = json.loads((run / "summary.json").read_text())["phases"]
    counts = {f"{name} {key}": phase[key] for name, phase in phases.items() for key in COUNTED if key in (phase or {})}
    files = [*run.glob("predictions/*.parquet"), *run.glob("attention/predictions/*.parquet")]
    return counts | of_predictions(files, run)


def of_predictions(files: Iterable[Path], under: Path) -> Result:
    """Name, without what hashes of configs it has -> sha256 of the bytes of the logits, row by row as they stand."""
    import pyarrow.parquet as pq

    found = {}
    for file in sorted(files):
        table = pq.read_table(file)
        columns = [table[name].to_numpy() for name in table.column_names if name.startswith("logit_")]
        logits = np.stack(columns, axis=1).astype(np.float32)
        name = HASH.sub("", file.relative_to(under).with_suffix("").as_posix())
        found[name] = hashlib.sha256(logits.tobytes()).hexdigest()
    return found


def differences(ours: dict[str, Any], theirs: dict[str, Any], names: Sequence[str] | None) -> list[Row]:
    """What differs between two outputs, in the cases of those names, or in all that one of them has."""
    rows: list[Row] = []
    for name in names or dict.fromkeys([*ours["cases"], *theirs["cases"]]):
        here, there = ours["cases"].get(name), theirs["cases"].get(name)
        if here is None or there is None:
            rows.append((name, "", *("missing" if of is None else "there" for of in (here, there))))
            continue
        both = dict.fromkeys([*here, *there])
        rows += [(name, what, here.get(what), there.get(what)) for what in both if here.get(what) != there.get(what)]
    return rows


def show(rows: Sequence[Row]) -> None:
    """The table of what differs."""
    table = Table("case", "what", "here", "there")
    for name, what, *values in rows:
        table.add_row(name, what, *("" if value is None else str(value)[:16] for value in values))
    Console(width=None if sys.stdout.isatty() else 150).print(table)


if __name__ == "__main__":
    main()
