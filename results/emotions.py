"""The study by emotion: what Perturb gains and loses on each, as the paper's Table 3 asks."""

import numpy as np

from fer_perturb.analysis.statistics import OverSeeds, holm
from fer_perturb.data.emotions import EMOTIONS
from results.contrasts import HYPOTHESES, Contrast, Results
from results.plan import Run
from results.record import LABELS
from results.tables import ends

H1 = next(iter(HYPOTHESES.values()))
OF_PERTURB = (H1[0], H1[2])  # equal operations, equal epochs, both over the views
# points of the paper's Table 3 for its VGG16, ResNet and DPN (docs/paper.md)
PAPER = {
    "angry": (12.0, 3.5, 0.8),
    "disgust": (5.0, 5.6, -3.6),
    "fear": (18.0, 8.4, 3.0),
    "happy": (-1.0, 1.0, 2.0),
    "sad": (-17.0, 1.5, 1.5),
    "surprise": (1.6, 2.1, -0.5),
    "neutral": (2.2, -0.6, 1.4),
}


def recalls(results: Results, run: Run, reading: str) -> dict[str, float]:
    """Of each emotion, the per cent of its whole faces that a run recognises."""
    right, labels = results.right(run, reading, ("whole",)), results.labels[LABELS]
    return {name: 100 * float(np.mean(right[labels == place])) for place, name in enumerate(EMOTIONS)}


def differences(results: Results, contrast: Contrast, network: str) -> dict[str, OverSeeds]:
    """Of each emotion, the difference in points over the seeds with which both arms were run."""
    found: dict[str, list[float]] = {name: [] for name in EMOTIONS}
    for seed in results.seeds(network, contrast.first, contrast.second):
        first, second = (
            recalls(results, Run(arm, network, seed), reading)
            for arm, reading in zip((contrast.first, contrast.second), contrast.readings, strict=True)
        )
        for name in EMOTIONS:
            found[name].append(first[name] - second[name])
    return {name: OverSeeds.of(values) for name, values in found.items() if values}


def by_emotion(results: Results, network: str) -> list[str]:
    """A row an emotion: both contrasts, p two-sided with Holm over the seven, and what the paper has."""
    every = [differences(results, contrast, network) for contrast in OF_PERTURB]
    if not all(every):
        return []
    adjusted = [_two_sided(of) for of in every]
    heads = ["emotion", *(f"{c.what}: points [95 %] | p" for c in OF_PERTURB), "paper: VGG16, ResNet, DPN"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * 6]
    for name in EMOTIONS:
        cells = [
            f"{of[name].mean:+.1f} {ends(of[name].interval())} | {p[name]:.2g}"
            for of, p in zip(every, adjusted, strict=True)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {', '.join(f'{value:+.1f}' for value in PAPER[name])} |")
    return lines


def _two_sided(of: dict[str, OverSeeds]) -> dict[str, float]:
    return dict(zip(of, holm([one.p for one in of.values()]), strict=True))
