"""Places the landmarks of a prepared dataset, beside its images (packed/placed_landmarks.py says what lies where)."""

import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from tqdm import tqdm

from fer_perturb import files
from fer_perturb.data.landmarks import dlib_landmarks
from fer_perturb.data.packed import PackedData, load_packed
from fer_perturb.data.packed.format import LANDMARKS, MANIFEST
from fer_perturb.data.packed.placed_landmarks import MOST_INSTABILITY, landmarks_made_by
from fer_perturb.errors import UserError, say
from fer_perturb.locks import lock_at

CHUNK = 512  # images; what is finished is not done again

Job = tuple[Path, slice, Path]  # a split's images, the rows of a chunk, and where their points and instability go


def place_landmarks(data: PackedData, *, workers: int | None = None) -> PackedData:
    """Places the landmarks of all images, with a process for each core (or `workers`), and loads the data with them.

    What stands there for these very images, made by this version, is left as it is, and so are known ones; what an
    interrupted call has finished is not done again. Raises UserError where dlib is not installed, or no face could be
    placed.
    """
    if f"train/{LANDMARKS}.npy" in data.manifest["arrays"]:
        say(f"{data.root} has had its landmarks since it was made.")
        return data
    folder, made_by = data.root / LANDMARKS, landmarks_made_by(data.manifest)
    partial = data.root.parent / f".{data.root.name}-{LANDMARKS}{files.PARTIAL}"
    with lock_at(partial.with_suffix(".lock")):
        data = load_packed(data.root)  # another process may have placed them meanwhile
        if data.landmarks_identity and _unharmed(folder):
            say(f"{folder} was already made from these images.")
            return load_packed(data.root)
        dlib_landmarks.shape_predictor()  # its errors come before any work
        _begin(partial, {**made_by, "chunk": CHUNK})
        jobs: dict[str, list[Job]] = {
            split: [
                (data.root / split / "images.npy", slice(start, start + CHUNK), partial / f"{split}-{start:07}.npy")
                for start in range(0, len(rows), CHUNK)
            ]
            for split, rows in data.splits.items()
        }
        _work([job for of in jobs.values() for job in of], workers or cores())
        found = {split: np.concatenate([np.load(target) for _, _, target in of]) for split, of in jobs.items()}
        _write(data, folder, found, made_by)
        shutil.rmtree(partial)
    return load_packed(data.root)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def place_chunk(job: Job) -> None:
    """Writes float32 (n, 137): 68 points and their instability, of the images of one chunk."""
    images, rows, target = job
    chunk = np.load(images, mmap_mode="r", allow_pickle=False)[rows]
    placed = [dlib_landmarks.place(np.ascontiguousarray(image)) for image in chunk]
    files.write_npy(target, np.array([[*points.flat, instability] for points, instability in placed], dtype=np.float32))


def _unharmed(folder: Path) -> bool:
    arrays = json.loads((folder / MANIFEST).read_text())["arrays"].items()
    return all((folder / name).is_file() and files.sha256(folder / name) == noted for name, noted in arrays)


def _begin(partial: Path, made_by: dict[str, Any]) -> None:
    """The folder of unfinished work, emptied unless it is of the same images and version."""
    noted = partial / "made_by.json"
    if not (noted.is_file() and json.loads(noted.read_text()) == made_by):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        files.write_json(noted, made_by)


def _work(jobs: list[Job], workers: int) -> None:
    left = [job for job in jobs if not job[2].is_file()]
    with tqdm(total=len(jobs), initial=len(jobs) - len(left), desc="Landmarks", unit_scale=CHUNK, unit=" faces") as bar:
        if workers == 1:
            for job in left:
                place_chunk(job)
                bar.update()
            return
        # not by forking: other libraries' threads may be at work in this process
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            try:
                for done in as_completed([pool.submit(place_chunk, job) for job in left]):
                    done.result()
                    bar.update()
            except BaseException:
                pool.shutdown(cancel_futures=True)  # else an interrupt would wait for all that is left
                raise


def _write(data: PackedData, folder: Path, found: dict[str, NDArray[np.float32]], made_by: dict[str, Any]) -> None:
    instability = {split: rows[:, -1].clip(0, 1000).astype(np.float16) for split, rows in found.items()}
    placed = {split: of <= np.float16(MOST_INSTABILITY) for split, of in instability.items()}
    shapes = np.concatenate([rows[placed[split], :-1] for split, rows in found.items()])
    if not len(shapes):
        raise UserError(f"{data.root}: not one face could be placed; expected pictures of faces.")
    needed = sum(rows.nbytes // 2 for rows in found.values())  # written as float16
    with files.atomic_directory(folder, needed) as temporary:
        for split, rows in found.items():
            points = np.where(placed[split][:, None], rows[:, :-1], shapes.mean(axis=0)).reshape(-1, 68, 2)
            files.write_npy(temporary / f"{split}.npy", points.astype(np.float16))
            files.write_npy(temporary / f"{split}_instability.npy", instability[split])
        written = [f"{split}{what}.npy" for split in found for what in ("", "_instability")]
        arrays = {name: files.sha256(temporary / name) for name in written}
        content = {"made_by": made_by, "arrays": arrays}
        files.write_json(temporary / MANIFEST, content)


def unplaced_table(data: PackedData, what: str) -> Table:
    """How many faces of each class could not be placed, of how many, and `what` becomes of them."""
    table = Table(title=f"Faces of {data.name} that could not be placed: {what}")
    for heading in ("", *data.classes, "all"):
        table.add_column(heading, justify="right")
    for split, rows in data.splits.items():
        unplaced = rows.labels[~data.placed(split)]
        lost, every = (np.bincount(labels, minlength=len(data.classes)) for labels in (unplaced, rows.labels))
        cells = [f"{some} of {count:,}" for some, count in zip((*lost, lost.sum()), (*every, every.sum()), strict=True)]
        table.add_row(split, *cells)
    return table
