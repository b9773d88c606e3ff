"""Measured runs as they could have been: densities are given, and faces vary about them."""

from typing import Any

import numpy as np
import pandas as pd

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.saliency.measured import RANDOM, Measured
from fer_perturb.saliency.regions import FEATURES, PARTS
from fer_perturb.saliency.sentences import SALIENCY

AREA = 0.05  # of each feature


def generated(
    densities: dict[str, float],
    *,
    scheme: str = "baseline",
    kind: str = "fer2013",
    seed: int = 0,
    of_emotion: dict[tuple[str, str], float] | None = None,
    methods: tuple[str, ...] = SALIENCY,
    faces: int = 20,
    clusters: float | None = None,
    drawn: bool = False,
) -> Measured:
    """`faces` of each emotion; densities: of parts, 1 where none is given; of_emotion: of (emotion, part) instead.

    clusters: of how many faces they are two eyes and a mouth. Some faces are not firmly placed.
    """
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(EMOTIONS)), faces)
    level = {
        **{(emotion, part): densities.get(part, 1.0) for emotion in EMOTIONS for part in FEATURES},
        **(of_emotion or {}),
    }
    expected = np.array([[level[EMOTIONS[label], part] for part in FEATURES] for label in labels])
    tables = []
    for method in (*methods, RANDOM):
        share = AREA * expected * random.normal(1, 0.15, expected.shape)
        share = np.concatenate([share, 1 - share.sum(axis=1, keepdims=True)], axis=1)
        area = np.concatenate(
            [np.full_like(expected, AREA), np.full((len(labels), 1), 1 - AREA * len(FEATURES))], axis=1
        )
        of = {"name": [f"{n}.png" for n in range(len(labels))], "sha256": "", "label": labels.astype(np.int8)}
        of |= {"placed": np.arange(len(labels)) % 10 > 0, "method": method}
        of |= {f"share_{part}": np.nan if method == RANDOM else share[:, at] for at, part in enumerate(PARTS)}
        of |= {f"area_{part}": area[:, at] for at, part in enumerate(PARTS)}
        better = 0.0 if method == RANDOM else 0.1
        of |= {
            "deletion": random.normal(0.4 - better, 0.05, len(labels)),
            "insertion": random.normal(0.4 + better, 0.05, len(labels)),
        }
        tables.append(pd.DataFrame(of))
    about: dict[str, Any] = {"dataset": kind, "kind": kind, "scheme": scheme, "seed": seed, "model": "resnet_tiny"}
    about |= {
        "chosen": scheme,
        "trained_by": "quick",
        "recipe": "quick",
        "epochs": 4,
        "looked_at": "fer2013",
        "images": len(labels),
        "drawn": drawn,
    }
    about |= {"run": f"{kind}/resnet_tiny/{scheme}/seed{seed}-00000000", "classes": list(EMOTIONS), "accuracy": 0.5}
    told = {"curves": curves(methods), "sanity": sanity(), "clusters": clusters_of(clusters)}
    return Measured(about, told, pd.concat(tables, ignore_index=True), maps(methods, random, seed))


def curves(methods: tuple[str, ...]) -> dict[str, Any]:
    fall, rise = np.linspace(0.6, 0.1, 17).tolist(), np.linspace(0.1, 0.6, 17).tolist()
    return {name: {"deletion": fall, "insertion": rise} for name in (*methods, RANDOM)}


def sanity() -> list[dict[str, Any]]:
    one = {"value": 1.0, "low": 0.9, "high": 1.1}
    told = [
        {"method": name, "shuffled": share, "images": 70, "correlation": one}
        for share in (0.1, 1.0)
        for name in SALIENCY
    ]
    return [of | ({"density": dict.fromkeys(PARTS, one)} if of["shuffled"] == 1 else {}) for of in told]


def clusters_of(value: float | None) -> dict[str, Any] | None:
    if value is None:
        return None
    share = [[{"value": 0.5, "low": 0.4, "high": 0.6}] * len(PARTS)] * 2
    eyes = {"value": value, "low": value - 0.05, "high": value + 0.05}
    told = [
        {"when": when, "two_eyes_and_a_mouth": eyes, "share": share, "iou": share}
        for when in (0, "tested", "position alone")
    ]
    return {"n": 2, "maps": told, "agreement_with_tested": {"0": 0.9, "position alone": 0.7}}


def maps(methods: tuple[str, ...], random: np.random.Generator, seed: int) -> dict[str, np.ndarray]:
    found = {f"{what}/{name}": random.random((7, 48, 48)) for name in methods for what in ("example", "mean")}
    found |= {"example/image": random.random((7, 48, 48)), "example/parts": np.zeros((7, 5, 48, 48))}
    found |= {
        "mean/parts": np.zeros((7, 5, 48, 48)),
        "clusters/tested": np.arange(48 * 48).reshape(48, 48) // (1152 + seed),
    }
    return {name: of.astype(np.float32) for name, of in found.items()}
