"""Sweeps that were submitted to a cluster: a folder for each, with a folder for each of its jobs."""

import json
import shlex
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fer_perturb.errors import UserError
from fer_perturb.files import write_json
from fer_perturb.sweeps.task import Places, Task, state_of

RECORD = "sweep.json"
FOLDER = ".sweeps"  # under outputs
KEEPER = "keeper.lock"  # of a sweep that Ray has; held as long as it has


@dataclass(frozen=True)
class Sent:
    """A job that was submitted."""

    number: int
    told: str
    """the overrides that tell it from the others"""
    words: list[str]
    """what follows `python -m fer_perturb.train` for it"""
    needs: list[int]
    """the jobs that must have ended before it begins: an ensemble's members"""
    known_as: str = ""
    """the engine's name for it"""


@dataclass(frozen=True)
class Submitted:
    """A sweep as it was submitted to an engine: from `home`, with `words` that `train` takes as well."""

    folder: Path
    engine: str
    words: list[str]
    home: Path
    jobs: list[Sent]

    @property
    def command(self) -> str:
        """What does the same on one machine, and prints the tables of what is done."""
        return shlex.join(["python", "-m", "fer_perturb.train", *self.words])

    def folder_of(self, number: int) -> Path:
        return self.folder / str(number)

    def state_of(self, job: Sent) -> dict[str, Any]:
        return state_of(self.folder_of(job.number))

    def tasks(self, threads: int, *, waiting: bool = False, places: Places | None = None) -> list[Task]:
        """What the engine is to call. waiting: for the jobs that a job needs its task waits, not the engine."""
        made = []
        for job in self.jobs:
            needs = tuple(map(self.folder_of, job.needs)) if waiting else ()
            folder = self.folder_of(job.number)
            folder.mkdir(parents=True, exist_ok=True)
            made.append(Task(job.number, job.told, job.words, folder, self.home, threads, needs, places))
        return made

    def known_as(self, names: dict[int, str]) -> "Submitted":
        """The same with the engine's names of its jobs."""
        jobs = [replace(job, known_as=names.get(job.number, job.known_as)) for job in self.jobs]
        return replace(self, jobs=jobs)

    def only(self, jobs: list[Sent]) -> "Submitted":
        return replace(self, jobs=jobs)

    def write(self) -> None:
        write_json(self.folder / RECORD, {**asdict(self), "folder": str(self.folder), "home": str(self.home)})


def new_folder(outputs: Path) -> Path:
    """An empty folder for a sweep that is submitted now."""
    folders = outputs.resolve() / FOLDER
    folders.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    number = 1
    while True:
        folder = folders / f"{now}{f'-{number}' if number > 1 else ''}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def read_submitted(folder: Path) -> Submitted:
    """What `write` wrote there. Raises UserError where it is damaged."""
    try:
        content = json.loads((folder / RECORD).read_text())
        jobs = [Sent(**job) for job in content.pop("jobs")]
        return Submitted(**{**content, "folder": folder, "home": Path(content["home"]), "jobs": jobs})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{folder / RECORD} cannot be read ({error}). Remove {folder}, and submit again.") from error


def all_submitted(outputs: Path) -> list[Submitted]:
    """All sweeps that were submitted with these outputs, the oldest first."""
    return [read_submitted(file.parent) for file in sorted((outputs.resolve() / FOLDER).glob(f"*/{RECORD}"))]
