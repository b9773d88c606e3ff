"""A job of a sweep: one run, or one ensemble of runs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(eq=False)
class Job:
    """What is known of a job before it starts, and `failure` once it has ended otherwise than well."""

    number: int
    """from 1, in the sweep's order"""
    told: str
    """the overrides that tell it from the others"""
    words: list[str]
    """what follows `python -m fer_perturb.train` for this job alone"""
    directory: Path
    """the run's; a folder of the sweep where the job is so wrong that it has none"""
    summary: dict[str, Any] | None = None
    """of a finished run"""
    members: frozenset[Path] = frozenset()
    """the runs that an ensemble is the mean of"""
    phase_1: Path | None = None
    """where the phase 1 that it needs lies, or will lie"""
    flops: int = 0
    """operations in training that are still to be done; a phase 1 that several jobs share counts for the first"""
    seconds: float = 0.0
    """what they are likely to take"""
    failure: str = ""
    """the first line of the error"""
    took: float = field(default=0.0)
    """seconds of a job that has ended in this sweep"""

    @property
    def log(self) -> Path:
        """What it prints, its traceback included."""
        return self.directory / "job.log"

    @property
    def lacks_phase_1(self) -> bool:
        from fer_perturb.runs.phase_cache import RECORD  # here, as it needs torch, and a job's keeper does not

        return self.phase_1 is not None and not (self.phase_1 / RECORD).is_file()
