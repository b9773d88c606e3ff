"""What was said of many pictures, in memory and on disk."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb.errors import UserError
from fer_perturb.files import write_npy, write_text
from fer_perturb.prediction.face import Face

LINES, TABLE = "faces.jsonl", "faces.csv"


@dataclass
class Results:
    """of: picture -> its faces, or why it could not be read. faces: how they were looked for."""

    of: dict[str, list[Face] | UserError]
    faces: str
    written: list[Path] = field(default_factory=list)

    @property
    def read(self) -> dict[str, list[Face]]:
        return {picture: found for picture, found in self.of.items() if not isinstance(found, UserError)}

    @property
    def unread(self) -> dict[str, UserError]:
        return {picture: found for picture, found in self.of.items() if isinstance(found, UserError)}

    @property
    def faceless(self) -> list[str]:
        """The pictures without a face."""
        return [picture for picture, faces in self.read.items() if not faces]


def write_results(results: Results, out: Path) -> None:
    """Writes faces.jsonl and faces.csv, and, row by row the same faces, attention.npy float32 (N, h, w) and
    clusters.npy int8 (N, h, w), each whole or not at all; one that there is nothing for goes.

    Of a picture that cannot be read the lines hold its `error`; of one without faces there is none.
    """
    out.mkdir(parents=True, exist_ok=True)
    faces = [face for found in results.read.values() for face in found]
    write_text(out / LINES, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in _lines(results)))
    write_text(out / TABLE, _table(results))
    results.written += [out / LINES, out / TABLE]
    _write_maps(out / "attention.npy", [face.attention for face in faces if face.attention is not None], results)
    _write_maps(out / "clusters.npy", [face.clusters for face in faces if face.clusters is not None], results)


def _write_maps(file: Path, maps: Sequence[NDArray[Any]], results: Results) -> None:
    file.unlink(missing_ok=True)
    if maps:
        write_npy(file, np.stack(maps))
        results.written.append(file)


def _lines(results: Results) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for picture, found in results.of.items():
        if isinstance(found, UserError):
            lines.append({"picture": picture, "error": str(found)})
        else:
            lines += [{"picture": picture, **face.as_json()} for face in found]
    return lines


def _table(results: Results) -> str:
    rows = [
        {
            "picture": picture,
            "face": number,
            **(vars(face.box) if face.box else {}),
            "emotion": face.emotion,
            **face.probabilities,
            **{f"view {k + 1}": vote for k, vote in enumerate(face.votes)},
        }
        for picture, faces in results.read.items()
        for number, face in enumerate(faces, 1)
    ]
    text = io.StringIO()
    if rows:
        table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return text.getvalue()
