"""Runs that were looked at on the same faces, side by side: who looks where, and which sentence of the paper holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fer_perturb.saliency.clusters import POSITION, TESTED, mean_agreement
from fer_perturb.saliency.measured import Measured, interval_of
from fer_perturb.saliency.regions import PARTS
from fer_perturb.saliency.resampling import Interval, Resampling, intervals
from fer_perturb.saliency.sentences import (
    ARMS,
    CLUSTERS,
    HELD,
    MASKED,
    NOT_HELD,
    PERTURB,
    SENTENCES,
    UNDECIDED,
    WHOLE,
    Sentence,
)

ALIKE = ("looked_at", "images", "model", "recipe", "epochs", "trained_by")  # of runs that are compared


@dataclass(frozen=True)
class Verdict:
    """numbers: by estimator. word: HELD or NOT_HELD where every estimator says so, else UNDECIDED; why: in the latter
    case, where it is not that they disagree or that an interval holds the bound. seeds: how many networks of each arm
    it rests on; of one it says what these very networks do, and nothing of others trained alike."""

    sentence: Sentence
    numbers: dict[str, Interval]
    word: str
    why: str = ""
    seeds: int = 0


@dataclass(frozen=True, eq=False)
class Arm:
    """The seeds of one scheme and one training set."""

    name: str
    runs: list[Measured]

    @property
    def seeds(self) -> list[int]:
        return [run.about["seed"] for run in self.runs]

    def shares(self, method: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of saliency and of pixels, (seeds, N, 5) both."""
        each = [run.shares(method) for run in self.runs]
        return np.stack([share for share, _ in each]), np.stack([area for _, area in each])


@dataclass(frozen=True, eq=False)
class Comparison:
    """Arms that were looked at on the same faces, and are alike in all of ALIKE. about: what they are alike in.

    placed: whether only faces count whose landmarks are firmly placed.
    """

    about: dict[str, Any]
    arms: dict[str, Arm]
    placed: bool = True

    @property
    def classes(self) -> list[str]:
        return next(iter(self.arms.values())).runs[0].classes

    @cached_property
    def _labels(self) -> NDArray[np.int64]:
        return next(iter(self.arms.values())).runs[0].column("label").astype(np.int64)

    @property
    def all_placed(self) -> bool:
        return bool(self._placed.all())

    @cached_property
    def _placed(self) -> NDArray[np.bool_]:
        return next(iter(self.arms.values())).runs[0].column("placed").astype(bool)

    def rows(self, emotions: Sequence[str]) -> NDArray[np.int64]:
        """The faces of these emotions (all, where there are none named)."""
        wanted = [self.classes.index(emotion) for emotion in emotions or self.classes if emotion in self.classes]
        return np.flatnonzero(np.isin(self._labels, wanted) & (self._placed if self.placed else True))

    def densities(self, arm: str, method: str, emotions: Sequence[str] = ()) -> list[Interval]:
        """Share of saliency by share of area, of each of PARTS, on faces of these emotions."""
        share, area = self.arms[arm].shares(method)
        rows = self.rows(emotions)
        draws = Resampling(self._labels[rows], len(share))
        return intervals(draws.ratios(share[:, rows], area[:, rows]))

    def differences(self, arm: str, less: str, method: str, emotions: Sequence[str] = ()) -> list[Interval]:
        """Of each of PARTS the density in `arm` less that in `less`, on the same faces."""
        one, other = self._drawn((arm, less), method, emotions, [[at] for at in range(len(PARTS))])
        return intervals(one - other)

    def number(self, sentence: Sentence, method: str) -> Interval:
        """What a sentence is about."""
        at = [PARTS.index(part) for part in sentence.parts]
        found = self._drawn(sentence.arms, method, sentence.emotions, [at])
        return intervals(found[0] - found[1] if sentence.less else found[0])[0]

    def _drawn(
        self, arms: Sequence[str], method: str, emotions: Sequence[str], sets: Sequence[Sequence[int]]
    ) -> list[NDArray[np.floating[Any]]]:
        """Densities of each of `sets` of parts, in each arm, from the same draws: of the seeds that all arms have."""
        rows, shared = self.rows(emotions), self.shared(arms)
        draws, found = Resampling(self._labels[rows], len(shared)), []
        for arm in (self.arms[name] for name in arms):
            of = [arm.seeds.index(seed) for seed in shared]
            share, area = (values[of][:, rows] for values in arm.shares(method))
            over, under = (np.stack([of[..., at].sum(axis=2) for at in sets], axis=2) for of in (share, area))
            found.append(draws.ratios(over, under))
        return found

    def shared(self, arms: Sequence[str]) -> list[int]:
        """The seeds that all of them have."""
        return sorted(set.intersection(*(set(self.arms[arm].seeds) for arm in arms)))

    def verdicts(self) -> list[Verdict]:
        """Of each of the paper's SENTENCES."""
        return [self._verdict(sentence) for sentence in SENTENCES]

    def _verdict(self, sentence: Sentence) -> Verdict:
        if why := self._missing(sentence):
            return Verdict(sentence, {}, UNDECIDED, why)
        if CLUSTERS in sentence.methods:
            numbers = {CLUSTERS: self.of_clusters(sentence.arm, TESTED)}
        else:
            methods = [name for name in sentence.methods if all(name in self.methods(arm) for arm in sentence.arms)]
            numbers = {method: self.number(sentence, method) for method in methods}
        sign = 1 if sentence.more else -1
        said = {sign * number.beyond(sentence.bound) for number in numbers.values()}
        word = HELD if said == {1} else NOT_HELD if said == {-1} else UNDECIDED
        return Verdict(sentence, numbers, word, seeds=len(self.shared(sentence.arms)))

    def _missing(self, sentence: Sentence) -> str:
        """Why there is no number: none can be had, or there is no run to have it from."""
        if not sentence.arm:
            return sentence.reading
        if missing := [arm for arm in sentence.arms if arm not in self.arms]:
            return f"no {ARMS[missing[0]]} was looked at"
        if not self.shared(sentence.arms):
            return "no two runs of the same seed"
        if not set(sentence.emotions) <= set(self.classes):
            return f"no faces of {', '.join(sentence.emotions)}"
        if CLUSTERS in sentence.methods and not all(run.told["clusters"] for run in self.arms[sentence.arm].runs):
            return "no clusters"
        if sentence.methods == ("attention",) and "attention" not in self.methods(sentence.arm):
            return "no attention"
        return ""

    def methods(self, arm: str) -> list[str]:
        """The estimators that all runs of an arm have."""
        runs = self.arms[arm].runs
        return [name for name in runs[0].methods if all(name in run.methods for run in runs)]

    def of_clusters(self, arm: str, when: str = POSITION) -> Interval:
        """Of how many faces the maps TESTED, or of POSITION alone, are two eyes and a mouth: the mean over seeds,
        within the widest bounds that any of them has."""
        told = [of for run in self.arms[arm].runs for of in run.told["clusters"]["maps"] if of["when"] == when]
        each = [interval_of(of["two_eyes_and_a_mouth"]) for of in told]
        value = float(np.mean([of.value for of in each]))
        return Interval(value, min(of.low for of in each), max(of.high for of in each))

    def agreement_of_seeds(self, arm: str) -> list[float]:
        """The adjusted Rand index of each pair of seeds' maps, where all images share one."""
        maps = [
            torch.from_numpy(run.maps["clusters/tested"])
            for run in self.arms[arm].runs
            if "clusters/tested" in run.maps
        ]
        return [mean_agreement(a, b) for a, b in combinations(maps, 2) if a.ndim == b.ndim == 2]


def arm_of(about: dict[str, Any]) -> str:
    """Which arm a run belongs to: one of the paper's, or its own scheme and training set."""
    masked = about["kind"] == "maskfer"
    if about["scheme"] == "baseline":
        return MASKED if masked else WHOLE
    if about["scheme"] == "perturb" and not masked:
        return PERTURB
    return f"{about['scheme']} on {about['dataset']}"


def comparisons(runs: Iterable[Measured], *, placed: bool = True) -> list[Comparison]:
    """What may be compared of `runs`, by what they are alike in.

    Of an arm with several settings (of a sweep, say) the one with most seeds has the arm's name, and each other one a
    name of its own; of a setting's runs with the same seed the last counts.
    """
    groups: dict[tuple[Any, ...], dict[str, dict[str, dict[int, Measured]]]] = {}
    for run in runs:
        settings = groups.setdefault(tuple(run.about[key] for key in ALIKE), {}).setdefault(arm_of(run.about), {})
        settings.setdefault(run.about["chosen"], {})[run.about["seed"]] = run
    found = []
    for alike, by_arm in groups.items():
        arms: dict[str, Arm] = {}
        for arm, settings in by_arm.items():
            for place, (chosen, of) in enumerate(sorted(settings.items(), key=lambda item: -len(item[1]))):
                name = f"{arm} ({chosen[:8]})" if place else arm
                arms[name] = Arm(name, [of[seed] for seed in sorted(of)])
        found.append(Comparison(dict(zip(ALIKE, alike, strict=True)), arms, placed))
    return found
