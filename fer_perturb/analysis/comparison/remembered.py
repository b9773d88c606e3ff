"""Comparisons of runs by their folders: this process makes each once, however many tables ask for it."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from fer_perturb.analysis.comparison.arm import Arm, Reading, read_arm
from fer_perturb.analysis.comparison.comparison import Comparison, compare
from fer_perturb.runs.summary_file import SUMMARY

ARMS = 4  # whose predictions are in memory at once: some 0.5 MB a seed
Known = tuple[tuple[Path, int], ...]  # runs, and when their summaries were written


def compare_runs(first: Sequence[Path], second: Sequence[Path], readings: tuple[Reading, Reading]) -> Comparison:
    """`compare` of two arms, each read as it says. Raises UserError as `read_arm` and `compare` do."""
    return _compared(_known(first), _known(second), readings)


def _known(runs: Sequence[Path]) -> Known:
    return tuple((run, (run / SUMMARY).stat().st_mtime_ns) for run in runs)


@lru_cache(maxsize=10_000)
def _compared(first: Known, second: Known, readings: tuple[Reading, Reading]) -> Comparison:
    return compare(_arm(first, readings[0]), _arm(second, readings[1]))


@lru_cache(maxsize=ARMS)
def _arm(runs: Known, reading: Reading) -> Arm:
    return read_arm([run for run, _ in runs], reading)
