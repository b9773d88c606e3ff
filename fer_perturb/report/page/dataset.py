"""The faces that a run was tested on, where they are at hand."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_perturb.analysis.collected import FoundRun
from fer_perturb.data.packed import load_packed
from fer_perturb.errors import UserError
from fer_perturb.experiment.identity import Settings

Images = dict[bytes, NDArray[np.uint8]]


def is_drawn(settings: Settings) -> bool:
    """Whether the faces are drawn, so that pictures of them may be passed on."""
    return bool(settings["dataset"].get("drawing"))


class Faces:
    """The test images of prepared datasets, by their sha256, each dataset opened once."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.opened: dict[str, Images] = {}

    def of(self, run: FoundRun, identities: NDArray[np.bytes_]) -> Images:
        """Those images that lie here; of data that are not here, or not whole, none."""
        name = str(run.settings["dataset"]["name"])
        if name not in self.opened:
            self.opened[name] = self._open(name)
        known = self.opened[name]
        return {key: known[key] for key in map(bytes, identities) if key in known}

    def _open(self, name: str) -> Images:
        try:
            split = load_packed(self.data / name).splits["test"]
        except (UserError, OSError):
            return {}
        return dict(zip(map(bytes, split.identities()), split.images, strict=True))
