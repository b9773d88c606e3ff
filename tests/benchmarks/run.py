"""PYTHONPATH=tests python -m benchmarks.run: measures the rows and writes them to docs."""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import rich
import torch

from benchmarks import (
    beside,
    clustering,
    collecting,
    growth,
    memory,
    occluders,
    overhead,
    pipeline,
    reporting,
    scheme,
    start,
    utilisation,
)
from benchmarks.bench import Bench
from benchmarks.report import Report

FAMILIES = {
    "overhead": overhead.rows,
    "pipeline": pipeline.rows,
    "clustering": clustering.rows,
    "scheme": scheme.rows,
    "memory": memory.rows,
    "occluders": occluders.rows,
    "start": start.rows,
    "collecting": collecting.rows,
    "reporting": reporting.rows,
    "beside": beside.rows,
    "utilisation": utilisation.rows,
    "growth": growth.rows,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the families of rows one after another; each is written as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rows", nargs="+", choices=FAMILIES, default=list(FAMILIES), help="all where none is named")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="the folder of benchmarks.md")
    parser.add_argument("--scale", type=float, default=1.0, help="less than 1 measures less, to try the rows out")
    chosen = parser.parse_args(arguments)

    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    report = Report(chosen.out, torch.device(chosen.device), command(chosen))
    with tempfile.TemporaryDirectory(prefix="fer_perturb_bench_", ignore_cleanup_errors=True) as folder:
        bench = Bench(torch.device(chosen.device), chosen.scale, Path(folder))
        for family in chosen.rows:
            started = time.perf_counter()
            rich.print(f"[bold]{family}[/bold] …", flush=True)
            report.add(family, FAMILIES[family](bench))
            rich.print(f"  {time.perf_counter() - started:.0f} s")
    report.print()


def command(chosen: argparse.Namespace) -> str:
    """What gives these rows again."""
    words = ["make bench"]
    if chosen.device != "cpu":
        words.append(f"DEVICE={chosen.device}")
    if chosen.rows != list(FAMILIES):
        words.append(f'ROWS="{" ".join(chosen.rows)}"')
    return " ".join(words) + ("" if chosen.scale == 1 else f" (scale {chosen.scale:g})")


if __name__ == "__main__":
    main()
