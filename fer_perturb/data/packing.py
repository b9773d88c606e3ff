"""Pictures become packed arrays: read or made, audited, packed. What stands there is touched only when all is well."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import rich
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from fer_perturb.data.packed import PackedData, load_packed, write_packed
from fer_perturb.data.packed.place import alone, begin
from fer_perturb.data.packed.write import check_splits
from fer_perturb.data.quality.audit import Audit, audit, audit_table
from fer_perturb.data.readers.reader import VERSION, Maker, Reader, Reading, RecordedReader
from fer_perturb.errors import UserError, say


def pack(source: Path, root: Path, reader: Reader, *, kind: str | None = None) -> PackedData:
    """What `reader` reads at `source`, packed into `root` = data/<dataset>.

    kind: the dataset= by which it is prepared, for the manifest. A source whose content and settings gave what already
    stands at `root` is not read again. Raises UserError.
    """
    begin(root, source)
    settings: dict[str, Any] = {"prepared_by": VERSION, "file": source.name}
    if isinstance(reader, RecordedReader):
        settings |= reader.settings(source)
    if "sha256" in settings and (standing := _standing(root, settings)) is not None:
        print(f"{root} was already made from this source.")
        return standing
    reading, found = _audited(lambda progress: reader(source, progress))
    with alone(root):
        return _write(root, reading, found, settings, kind)


def make(root: Path, maker: Maker, *, kind: str | None = None) -> PackedData:
    """What `maker` makes, packed into `root` = data/<dataset>; the same settings find it there again.

    kind: the dataset= by which it is prepared, for the manifest. Raises UserError.
    """
    begin(root)
    settings = maker.settings(root)
    with alone(root):  # two jobs of a sweep may both come first
        standing = _standing(root, settings)
        if standing is not None:
            return standing
        reading, found = _audited(maker.make)
        return _write(root, reading, found, settings, kind)


def _audited(read: Callable[[Progress], Reading]) -> tuple[Reading, Audit]:
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    with Progress(*columns, TimeRemainingColumn(elapsed_when_finished=True)) as progress:
        reading = read(progress)
        try:
            check_splits(reading.splits, reading.classes)
        except ValueError as error:
            raise UserError(f"What was read cannot be packed: {error} (see data/readers/reader.py).") from error
        return reading, audit(reading.splits, reading.classes, progress)


def _write(root: Path, reading: Reading, found: Audit, settings: Mapping[str, Any], kind: str | None) -> PackedData:
    source = {"form": reading.form, **({"kind": kind} if kind else {}), **settings}
    data = write_packed(
        root, root.name, reading.classes, reading.splits, source, left_out=reading.left_out, audit=found.to_dict()
    )
    for reason, count in reading.left_out.items():
        say(f"Left out: {count:,} ({reason})")
    rich.print(audit_table(found))
    return data


def _standing(root: Path, settings: Mapping[str, Any]) -> PackedData | None:
    """What stands at `root`, if it is whole and was made with `settings`."""
    try:
        data = load_packed(root)
    except UserError:
        return None
    recorded = data.manifest["source"]
    return data if all(recorded.get(key) == value for key, value in settings.items()) else None
