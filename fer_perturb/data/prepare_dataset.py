"""Pictures become packed arrays: read, audit, pack. What stands at `root` is touched only when all is well."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import rich
from filelock import FileLock
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from fer_perturb import files
from fer_perturb.data import drawn_masks
from fer_perturb.data.audit import audit, audit_table
from fer_perturb.data.drawn_faces.action_units import STRENGTH
from fer_perturb.data.emotions import EMOTIONS, SPLITS
from fer_perturb.data.fer2013 import read_fer2013
from fer_perturb.data.ferplus import Votes, agreement, joined, read_votes, shipped_votes
from fer_perturb.data.folder import checked_size, read_folder
from fer_perturb.data.landmarks import place_landmarks, unplaced_table
from fer_perturb.data.maskfer import masked_splits
from fer_perturb.data.packed import VOTES, PackedData, RawSplit, load_packed, require_own, write_packed
from fer_perturb.data.released_maskfer import read_released
from fer_perturb.data.splitting import Splitting
from fer_perturb.errors import UserError, say

VERSION = 1  # counts up when the same source would give other arrays or another audit


def prepare_fer2013(source: Path, root: Path, *, resize: bool, votes: Path | None = None) -> PackedData:
    """FER2013 from any of its forms (see fer2013.py) into `root`, and FER+'s votes beside the labels.

    votes: FER+'s own csv; None: those that come with the package, for the images that they belong to. A file whose
    content and settings gave what already stands at `root` is not read again. Raises UserError.
    """
    _begin(root, source)
    cast = shipped_votes() if votes is None else read_votes(votes)
    settings: dict[str, Any] = {"prepared_by": VERSION, "file": source.name, "resize": resize, "votes": cast.source}
    if source.is_file():
        settings["sha256"] = _sha256(source)
        standing = _standing(root, settings)
        if standing is not None:
            print(f"{root} was already made from this source.")
            return standing
    with _progress() as progress:
        read = read_fer2013(source, resize=resize, progress=progress)
    splits = _with_votes(read.splits, cast, required=votes is not None)
    return _pack(root, root.name, EMOTIONS, splits, {"form": read.form, **settings}, read.left_out)


def _with_votes(splits: Mapping[str, RawSplit], cast: Votes, *, required: bool) -> dict[str, RawSplit]:
    try:
        votes = joined(splits, cast)
    except UserError as error:
        if required:
            raise
        say(f"Without FER+'s votes: {error}")
        return dict(splits)
    of = list(votes)
    said = agreement(
        np.concatenate([votes[split] for split in of]), np.concatenate([splits[split].labels for split in of])
    )
    alike = f", their plurality in {100 * said.plurality:.1f} % of {said.decided:,}" if said.decided else ""
    say(
        f"FER+'s votes on {said.images:,} of {sum(map(len, splits.values())):,} images: one voter gives the label in "
        f"{100 * said.voter:.1f} % of the cases, no voter in {100 * said.nobody:.1f} %{alike}."
    )
    return {split: replace(raw, beside={VOTES: votes[split]}) for split, raw in splits.items()}


def prepare_folder(
    source: Path,
    root: Path,
    name: str,
    classes: Sequence[str] | None,
    *,
    resize: Sequence[int] | None,
    splitting: Splitting | None = None,
) -> PackedData:
    """People's own pictures (see folder.py) into `root`; `resize` = (H, W) in pixels. Raises UserError."""
    _begin(root, source)
    size, splitting = checked_size(resize), splitting or Splitting()
    settings = {"prepared_by": VERSION, "file": source.name, "resize": list(size) if size else None}
    with _progress() as progress:
        read = read_folder(source, classes, resize=size, splitting=splitting, progress=progress)
    made = {"form": "folder", **settings, "splitting": asdict(splitting)}
    return _pack(root, name, read.classes, read.splits, made, read.left_out)


def prepare_maskfer(data: PackedData, root: Path, *, unplaced: str, workers: int | None = None) -> PackedData:
    """MaskFer (see maskfer.py) of `data` into `root`; the same images and landmarks find it there again.

    The landmarks are placed first, where `data` has none. unplaced: what becomes of faces that they could not be placed
    on, `mean` (the mask of the mean shape) or `drop`. Raises UserError.
    """
    if root.resolve() == data.root.resolve() or data.splits["train"].unmasked is not None:
        raise UserError(
            f"MaskFer of {data.root} into {root}: expected the unmasked faces in dataset.of, and another dataset.name."
        )
    _begin(root)
    data = place_landmarks(data, workers=workers)
    settings: dict[str, Any] = {
        "form": "drawn masks",
        "prepared_by": [VERSION, drawn_masks.VERSION],
        "of": data.identity,
        "landmarks": data.landmarks_identity,
        "unplaced": unplaced,
        **({"votes": data.votes_identity} if data.votes_identity else {}),  # so that one of before gets them
    }
    standing = _standing(root, settings)
    if standing is not None:
        print(f"{root} was already made from these images and landmarks.")
        return standing
    with _progress() as progress:
        splits = masked_splits(data, progress, drop=unplaced == "drop", workers=workers)
    what = "they are left out" if unplaced == "drop" else "they wear the mask of the mean shape"
    rich.print(unplaced_table(data, what))
    count = sum(int((~data.placed(split)).sum()) for split in data.splits)
    left_out = {"face that could not be placed": count} if unplaced == "drop" else {}
    return _pack(root, root.name, data.classes, splits, settings, left_out)


def prepare_released_maskfer(source: Path, root: Path) -> PackedData:
    """The author's MaskFer (see released_maskfer.py) into `root`. Raises UserError."""
    _begin(root, source)
    with _progress() as progress:
        splits = read_released(source, progress)
    settings = {"form": "released MaskFer", "prepared_by": VERSION, "file": source.name}
    return _pack(root, root.name, EMOTIONS, splits, settings, {})


def prepare_synthetic(
    root: Path,
    *,
    seed: int,
    n_train: int,
    n_val: int,
    n_test: int,
    cue: float = 0.0,
    strength: Sequence[float] = STRENGTH,
) -> PackedData:
    """Drawn faces (see drawn_faces) into `root`; the same arguments find them there again.

    Beside images and labels each split has `landmarks` (N, 68, 2) float32, `drawn` (the emotion that was drawn,
    before label noise) and `regions` (see `drawn_regions`). Images are named face<number>. A share `cue` of the
    training images carries a bar code of its label (see planted_cue.py), and none of val and test does. Expressions
    are drawn with a `strength` from the least to the most. Raises UserError.
    """
    from fer_perturb.data.drawn_faces.drawing import draw_faces
    from fer_perturb.data.drawn_faces.planted_cue import VERSION as CUE_VERSION  # the other datasets do not need them
    from fer_perturb.data.drawn_faces.planted_cue import plant_cue

    counts = dict(zip(SPLITS, (n_train, n_val, n_test), strict=True))
    if min(counts.values()) < 1:
        raise UserError(f"dataset.drawing has {counts}. Expected at least one image in each split.")
    if not 0 <= cue <= 1:
        raise UserError(f"dataset.drawing.cue={cue}: expected a share from 0 to 1.")
    if len(strength) != 2 or not 0 <= strength[0] <= strength[1] <= STRENGTH[1]:
        raise UserError(
            f"dataset.drawing.strength={list(strength)}: expected two ascending numbers from 0 to {STRENGTH[1]}, the "
            f"least and the most of an expression, such as {list(STRENGTH)}."
        )
    drawn_by = [VERSION, CUE_VERSION] if cue else VERSION
    settings: dict[str, Any] = {"form": "drawn", "prepared_by": drawn_by, "seed": seed, "counts": counts}
    settings |= {"cue": cue, "strength": list(strength)}
    with _alone(root):  # two jobs of a sweep may both come first
        standing = _standing(root, settings)
        if standing is not None:
            return standing
        say(f"Drawing {sum(counts.values()):,} faces.")
        faces = draw_faces(sum(counts.values()), seed, strength=(strength[0], strength[1]))
        splits, start = {}, 0
        for split, count in counts.items():
            rows = slice(start, start + count)
            splits[split] = RawSplit(
                images=plant_cue(faces.images[rows], faces.labels[rows], cue if split == "train" else 0.0, seed),
                labels=faces.labels[rows].astype(np.uint8),
                names=[f"face{number}" for number in range(rows.start, rows.stop)],
                extras={
                    "drawn": faces.drawn[rows].astype(np.uint8),
                    "landmarks": faces.landmarks[rows].astype(np.float32),
                    "regions": np.packbits(faces.regions[rows], axis=-1),
                },
            )
            start += count
        return _write(root, root.name, EMOTIONS, splits, settings, {})


def drawn_regions(data: PackedData, split: str) -> NDArray[np.bool_]:
    """(N, 4, H, W) bool: brows, eyes, nose and mouth of each drawn face; KeyError for other datasets."""
    packed = data.extra(split, "regions")
    return np.unpackbits(packed, axis=-1, count=data.image_size[1]).astype(np.bool_)


def _pack(
    root: Path,
    name: str,
    classes: Sequence[str],
    splits: Mapping[str, RawSplit],
    source: Mapping[str, Any],
    left_out: Mapping[str, int],
) -> PackedData:
    with _alone(root):
        return _write(root, name, classes, splits, source, left_out)


def _write(
    root: Path,
    name: str,
    classes: Sequence[str],
    splits: Mapping[str, RawSplit],
    source: Mapping[str, Any],
    left_out: Mapping[str, int],
) -> PackedData:
    with _progress() as progress:
        found = audit(splits, classes, progress)
    data = write_packed(root, name, classes, splits, source, left_out=left_out, audit=found.to_dict())
    for reason, count in left_out.items():
        say(f"Left out: {count:,} ({reason})")
    rich.print(audit_table(found))
    return data


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Holds `root` for this process, and puts right what a killed one left: data that it had moved aside, to make
    way for new ones that never came, stand at `root` again, and all else that it left beside it is cleared away."""
    with files.told_when_unwritable(root):
        root.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root.parent / f".{root.name}.lock").acquire()
    with lock:
        for old in _moved_aside(root):
            old.rename(root)
        for path in _leftovers(root):
            shutil.rmtree(path, ignore_errors=True)
        require_own(root)
        yield


def _begin(root: Path, source: Path | None = None) -> None:
    """Data that a killed process had moved aside stand at `root` again, even if nothing new can be read.

    Raises UserError where packing into `root` would remove what is not packed data, or `source` and `root` overlap.
    """
    if _moved_aside(root):  # else no folder and no lock are made for a source that may be bad
        with _alone(root):
            pass
    if source is not None:
        there, where = (Path(os.path.realpath(path)) for path in (source, root))  # resolve() fails on links in a circle
        if there.is_relative_to(where) or where.is_relative_to(there):
            raise UserError(
                f"source={source} and {root}, where its packed data are to lie, overlap: packing would replace the one "
                "or read the other. Move the source elsewhere, or give another dataset.name or paths.data."
            )
    require_own(root)


def _moved_aside(root: Path) -> list[Path]:
    """Where the data of `root` lie if files.atomic_directory was killed between its two renames: one path or none."""
    if os.path.lexists(root):
        return []
    return [path / "old" for path in _leftovers(root) if (path / "old").is_dir()][:1]


def _leftovers(root: Path) -> list[Path]:
    """The temporary folders of `root`, those of a process at work among them unless `root` is held."""
    if not root.parent.is_dir():
        return []
    leftover = re.compile(rf"\.{re.escape(root.name)}\.[^.]+{re.escape(files.PARTIAL)}")
    return [path for path in root.parent.iterdir() if leftover.fullmatch(path.name)]


def _standing(root: Path, settings: Mapping[str, Any]) -> PackedData | None:
    """What stands at `root`, if it is whole and was made with `settings`."""
    try:
        data = load_packed(root)
    except UserError:
        return None
    recorded = data.manifest["source"]
    return data if all(recorded.get(key) == value for key, value in settings.items()) else None


def _sha256(source: Path) -> str:
    try:
        return files.sha256(source)
    except OSError as error:
        raise UserError(f"source={source} cannot be read: {error.strerror}.") from error


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
