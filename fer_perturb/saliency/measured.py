"""What was measured of a run on a dataset, in memory and beside the run."""

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from fer_perturb.errors import UserError
from fer_perturb.files import write_bytes, write_json
from fer_perturb.saliency.regions import PARTS
from fer_perturb.saliency.resampling import Interval

FOLDER = "saliency"  # of a run
TOLD, FACES, MAPS = "saliency.json", "faces.parquet", "maps.safetensors"
RANDOM = "random order"  # the control of the curves


@dataclass(frozen=True, eq=False)
class Measured:
    """about: which run, looked at on which data; `chosen` and `trained_by` stand for all keys of its scheme and of its
    recipe. told: all that is no number of a single face (measuring.py).

    faces: a row for each face and estimator: name, sha256, label (int8), placed, method; share_<part> and area_<part>,
    of the saliency and of the pixels, which sum to 1 over PARTS (NaN where there is no saliency at all); deletion and
    insertion, areas under the face's curves in [0, 1]. Of RANDOM there are the curves alone.

    maps: float32. `example/<method>` (E, h, w): saliency of the first face of each emotion, whose pictures are
    `example/image` in [0, 1]; `mean/<method>` (E, h, w): the mean over an emotion's faces of maps that sum to 1, and
    `mean/parts` (E, 5, h, w) of their parts; `clusters/tested` (h, w) or (E, h, w).
    """

    about: dict[str, Any]
    told: dict[str, Any]
    faces: pd.DataFrame
    maps: dict[str, NDArray[np.float32]]

    @property
    def classes(self) -> list[str]:
        found: list[str] = self.about["classes"]
        return found

    @property
    def methods(self) -> list[str]:
        """The estimators, without RANDOM."""
        return [name for name in self.faces["method"].unique() if name != RANDOM]

    def shares(self, method: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of each face the shares of saliency, and of pixels, in the order of PARTS: (N, 5) both."""
        rows = self.faces[self.faces["method"] == method]
        of = [rows[[f"{what}_{part}" for part in PARTS]].to_numpy(np.float64) for what in ("share", "area")]
        return of[0], of[1]

    def column(self, name: str) -> NDArray[Any]:
        """Of each face, in the order of `shares`."""
        rows = self.faces[self.faces["method"] == self.methods[0]]
        values: NDArray[Any] = rows[name].to_numpy()
        return values


def write_measured(measured: Measured, folder: Path) -> list[Path]:
    """Writes three files into `folder`, each whole or not at all; the files."""
    packed = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(measured.faces, preserve_index=False), packed, compression="zstd")
    write_bytes(folder / FACES, packed.getvalue())
    write_bytes(folder / MAPS, save(measured.maps))
    write_json(folder / TOLD, {"about": measured.about, **measured.told})
    return [folder / name for name in (TOLD, FACES, MAPS)]


def read_measured(folder: Path) -> Measured:
    """What `write_measured` wrote. Raises UserError where that is not there, or damaged."""
    try:
        told = json.loads((folder / TOLD).read_text())
        about = told.pop("about")
        return Measured(about, told, pq.read_table(folder / FACES).to_pandas(), load_file(folder / MAPS))
    except (OSError, ValueError, KeyError, pa.ArrowException, SafetensorError) as error:
        raise UserError(
            f"{folder} cannot be read ({str(error).splitlines()[0]}). Expected what python -m fer_perturb.look wrote; "
            "the same command writes it anew."
        ) from error


def plain(interval: Interval) -> dict[str, float | None]:
    """For JSON, which has no NaN."""
    return {key: None if np.isnan(value) else round(value, 6) for key, value in asdict(interval).items()}


def interval_of(told: dict[str, float | None]) -> Interval:
    """What `plain` made."""
    values = {key: np.nan if value is None else value for key, value in told.items()}
    return Interval(**values)
