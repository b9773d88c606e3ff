"""Pictures inside the page, as data URIs, within what the page may weigh."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file

from fer_perturb.analysis.collected import FoundRun
from fer_perturb.report.figures import CLUSTER_COLOURS, as_png, as_svg
from fer_perturb.report.page.dataset import is_drawn

ROOM = 3_500_000  # characters of all pictures together
QUALITY = 60  # of WebP
LARGEST = 120_000  # what the pictures of a run may take, and nothing is drawn without
SIDE = 720  # pixels, at most


class Pictures:
    """Those that fit. of_people: whether pictures of people's faces may be shown, which drawn ones always may."""

    def __init__(self, of_people: bool) -> None:
        self.of_people = of_people
        self.room = ROOM
        self.refused: set[Path] = set()
        """runs whose pictures no longer fitted"""

    def may_show(self, run: FoundRun) -> bool:
        return self.of_people or is_drawn(run.settings)

    def of(self, run: FoundRun) -> dict[str, str]:
        """Title -> picture: the map that was clustered, its clusters, and, of faces that may be shown, the scheme."""
        found: dict[str, Any] = {}
        maps, scheme = run.directory / "clustering", run.directory / "predictor" / "pictures" / "scheme.png"
        if self.room < LARGEST and (maps.is_dir() or scheme.is_file()):
            self.refused.add(run.directory)
            return {}
        if (maps / "attention.npy").is_file():
            attention = np.load(maps / "attention.npy", allow_pickle=False)
            found |= {"attention": _heat(attention)} if attention.max() > attention.min() else {}
        if (maps / "clusters.safetensors").is_file():
            labels = load_file(maps / "clusters.safetensors").get("cluster_map")
            if labels is not None and labels.ndim == 2:
                found["clusters"] = _coloured(labels)
        shown = {title: self._kept(_png(image), run) for title, image in found.items()}
        if self.may_show(run) and scheme.is_file():
            with Image.open(scheme) as image:
                image.thumbnail((SIDE, 2 * SIDE))
                shown["scheme"] = self._kept(_webp(image.convert("RGB")), run)
        return {title: picture for title, picture in shown.items() if picture}

    def face(self, image: NDArray[np.uint8]) -> str | None:
        """One grey face, (H, W)."""
        return self._kept(_webp(Image.fromarray(image, "L")), None)

    def _kept(self, uri: str, run: FoundRun | None) -> str | None:
        if len(uri) > self.room:
            if run:
                self.refused.add(run.directory)
            return None
        self.room -= len(uri)
        return uri


def _heat(attention: NDArray[np.floating[Any]]) -> Image.Image:
    """A map, from its least to its greatest value, in viridis."""
    low, high = float(attention.min()), float(attention.max())
    scaled = (attention - low) / max(high - low, 1e-12)
    return Image.fromarray((255 * mpl.colormaps["viridis"](scaled)[..., :3]).astype(np.uint8))


def _coloured(labels: NDArray[np.integer[Any]]) -> Image.Image:
    """Clusters in their colours; what is never hidden (-1) in grey."""
    rgb = [tuple(bytes.fromhex(colour[1:])) for colour in CLUSTER_COLOURS]
    table = np.array([*rgb, (90, 90, 90)], dtype=np.uint8)
    return Image.fromarray(table[np.where(labels < 0, len(rgb), labels % len(rgb))])


def _png(image: Image.Image) -> str:
    return _uri(image, "png", optimize=True)


def _webp(image: Image.Image) -> str:
    return _uri(image, "webp", quality=QUALITY, method=4)


def _uri(image: Image.Image, kind: str, **how: Any) -> str:
    written = io.BytesIO()
    image.save(written, kind, **how)
    return f"data:image/{kind};base64,{base64.b64encode(written.getvalue()).decode()}"


def drawing(figure: Figure) -> str:
    """A figure of matplotlib's as a picture: lines and letters stay sharp, unless that weighs more than pixels."""
    svg, png = as_svg(figure), as_png(figure)
    kind, smaller = ("svg+xml", svg) if len(svg) < 2 * len(png) else ("png", png)
    return f"data:image/{kind};base64,{base64.b64encode(smaller).decode()}"


def as_json(value: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("</", "<\\/").replace("<!--", "<\\!--")
