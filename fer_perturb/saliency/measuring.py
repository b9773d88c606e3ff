"""One run, looked at: all maps, shares, curves, the sanity check and the clusters, from one set of faces."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from fer_perturb.data.packed import PackedData
from fer_perturb.runs.phase_cache import content_key
from fer_perturb.saliency.clusters import TESTED, Maps, maps_of, overlaps, stability, two_eyes_and_a_mouth
from fer_perturb.saliency.curves import areas, curves, order, random_order
from fer_perturb.saliency.estimators import Seeing, estimators
from fer_perturb.saliency.faces import Faces, faces_of
from fer_perturb.saliency.measured import RANDOM, Measured, plain
from fer_perturb.saliency.regions import PARTS
from fer_perturb.saliency.resampling import Resampling, intervals
from fer_perturb.saliency.shuffled import cascade, rank_correlation
from fer_perturb.tasks.trained_run import TrainedRun

CHECKED = 10  # faces of each emotion that the sanity check takes
SEED = 0  # of what is drawn here: the faces, the random order, the shuffled weights

Item = TypeVar("Item")
Progress = Callable[[Iterable[Item], str], Iterable[Item]]


def measure(run: TrainedRun, data: PackedData, images: int, progress: Progress[Any] = lambda of, title: of) -> Measured:
    """Looks at a run on about `images` faces of the test split of `data`, evenly by emotion.

    Each network is asked about the emotion of the label. Raises UserError without captum, or landmarks.
    """
    task = run.predictor.requires_grad_(False).eval()
    faces = faces_of(data, task, images)
    seeing = Seeing.of(task)
    classes = faces.batch["label"]
    found: dict[str, Tensor] = {}
    for name, estimate in progress(estimators(seeing, faces.size, task).items(), "Estimators"):
        found[name] = estimate(faces.images, classes).float().cpu()
    ranks = {name: order(of) for name, of in found.items()}
    ranks[RANDOM] = random_order(len(faces), faces.size, SEED)
    drawn = {name: curves(seeing, faces.images, classes, of) for name, of in progress(ranks.items(), "Curves")}
    clusters = maps_of(run, faces)
    told = {
        "curves": {name: _mean_curves(*of) for name, of in drawn.items()},
        "sanity": _sanity(seeing, faces, progress),
        "clusters": _clusters(clusters, faces),
    }
    return Measured(_about(run, data, faces), told, _table(faces, found, drawn), _maps(faces, found, clusters))


def shares(maps: Tensor, parts: Tensor) -> NDArray[np.float64]:
    """Saliency (N, h, w) >= 0 and parts bool (N, P, h, w) -> each part's share of its sum, (N, P); NaN of none."""
    inside = torch.einsum("nhw,nphw->np", maps.double(), parts.double())
    return (inside / maps.double().sum(dim=(1, 2))[:, None]).numpy()


def _about(run: TrainedRun, data: PackedData, faces: Faces) -> dict[str, Any]:
    settings, summary = run.experiment.settings, run.summary
    known = {key: summary.get(key) for key in ("dataset", "model", "scheme", "seed", "config_hash", "commit")}
    return {
        **known,
        "kind": settings["dataset"].get("kind"),
        "chosen": content_key({key: settings.get(key) for key in ("scheme", "attention_model")}),
        "trained_by": content_key({**settings["recipe"], "precision": None}),
        "recipe": settings["recipe"]["name"],
        "epochs": settings["recipe"]["epochs"],
        "run": Path(*run.directory.resolve().parts[-4:]).as_posix(),
        "looked_at": data.name,
        "drawn": "test/regions.npy" in data.manifest["arrays"],
        "images": len(faces),
        "classes": list(data.classes),
        "accuracy": summary["test"]["accuracy"],
    }


def _table(faces: Faces, found: dict[str, Tensor], drawn: dict[str, tuple[Tensor, Tensor]]) -> pd.DataFrame:
    split = faces.data.splits["test"]
    area = faces.parts.double().mean(dim=(2, 3)).numpy()
    own = {
        "name": [split.names[row] for row in faces.rows],
        "sha256": [identity.decode() for identity in split.rows(faces.rows).identities()],
        "label": faces.labels.astype(np.int8),
        "placed": faces.placed,
    }
    tables = []
    for method, (deletion, insertion) in drawn.items():
        share = shares(found[method], faces.parts) if method in found else np.full_like(area, np.nan)
        columns: dict[str, Any] = {**own, "method": method}
        columns |= {f"share_{part}": share[:, at].astype(np.float32) for at, part in enumerate(PARTS)}
        columns |= {f"area_{part}": area[:, at].astype(np.float32) for at, part in enumerate(PARTS)}
        columns |= {"deletion": areas(deletion).numpy(), "insertion": areas(insertion).numpy()}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _mean_curves(deletion: Tensor, insertion: Tensor) -> dict[str, list[float]]:
    return {
        name: [round(float(value), 6) for value in of.mean(dim=0)]
        for name, of in (("deletion", deletion), ("insertion", insertion))
    }


def _sanity(seeing: Seeing, faces: Faces, progress: Progress[Any]) -> list[dict[str, Any]]:
    """At each depth of the cascade, by estimator: rank correlation with the trained network's maps; and of the network
    whose layers are all shuffled, where it looks."""
    some = faces.some(CHECKED)
    images, classes = faces.images[some], faces.batch["label"][some]
    parts, labels = faces.parts[some], faces.labels[some.numpy()]
    own = {name: of(images, classes).float().cpu() for name, of in estimators(seeing, faces.size).items()}
    draws = Resampling(labels, 1, seed=SEED)
    found = []
    for depth, shuffled in progress(cascade(seeing, images, SEED), "Sanity check"):
        for name, estimate in estimators(shuffled, faces.size).items():
            maps = estimate(images, classes).float().cpu()
            correlation = rank_correlation(own[name], maps).numpy()[None, :, None]
            told: dict[str, Any] = {"method": name, "shuffled": round(depth, 4), "images": len(some)}
            told["correlation"] = plain(intervals(draws.ratios(correlation, np.ones_like(correlation)))[0])
            if depth == 1:
                over, under = shares(maps, parts)[None], parts.double().mean(dim=(2, 3)).numpy()[None]
                told["density"] = dict(zip(PARTS, map(plain, intervals(draws.ratios(over, under))), strict=True))
            found.append(told)
    return found


def _clusters(maps: list[Maps], faces: Faces) -> dict[str, Any] | None:
    """Of the faces whose landmarks are firmly placed."""
    if not maps:
        return None
    firm, told = torch.from_numpy(np.flatnonzero(faces.placed)), []
    parts, left = faces.parts[firm], faces.left[firm]
    for of in maps:
        seen = of.of_some(firm)
        tables = overlaps(seen, parts).items()
        told.append(
            {
                "when": of.when,
                "two_eyes_and_a_mouth": plain(two_eyes_and_a_mouth(seen, parts, left)),
                **{name: [[plain(cell) for cell in row] for row in table] for name, table in tables},
            }
        )
    return {"n": maps[-1].n, "maps": told, "agreement_with_tested": stability(maps)}


def _maps(faces: Faces, found: dict[str, Tensor], clusters: list[Maps]) -> dict[str, NDArray[np.float32]]:
    first = faces.some(1)
    kept = {"example/image": faces.images[first, 0].float().cpu(), "example/parts": faces.parts[first].float()}
    labels = torch.from_numpy(faces.labels)
    for name, of in found.items():
        kept[f"example/{name}"] = of[first]
        scaled = of / of.sum(dim=(1, 2), keepdim=True)
        kept[f"mean/{name}"] = torch.stack(
            [scaled[labels == label].nanmean(dim=0) for label in np.unique(faces.labels)]
        )
    kept["mean/parts"] = torch.stack(
        [faces.parts[labels == label].float().mean(dim=0) for label in np.unique(faces.labels)]
    )
    for of_time in clusters:
        if of_time.when == TESTED:
            kept["clusters/tested"] = (of_time.labels if of_time.labels.ndim == 2 else of_time.labels[first]).float()
    return {name: np.ascontiguousarray(of.numpy(), dtype=np.float32) for name, of in kept.items()}
