"""How often 95 % intervals hold the truth, on simulated runs: PYTHONPATH=tests python -m benchmarks.coverage

Two schemes, as many test images of each class as FER2013's, answers that are right or wrong. Whether one is right has a
probability (probit) that varies with the image, alike for both schemes and for each its own; and with scheme and seed.
"""

import argparse
import sys
from collections.abc import Iterator

import numpy as np
from scipy.special import ndtr

from fer_perturb.analysis.statistics import (
    OverSeeds,
    bootstrap,
    effect_interval,
    hierarchical,
    over_images,
    over_seeds_and_images,
    probability_of_improvement,
)

LABELS = np.repeat(np.arange(7), (491, 55, 528, 879, 594, 416, 626))  # PrivateTest
EASE = (0.6, 0.5)  # of the two schemes, on the probit scale: a difference of about 3 points
SCENES = {  # deviations on the probit scale: of image and scheme, of seed and scheme
    "images and seeds": (0.5, 0.05),
    "images, hardly seeds": (1.0, 0.0),
    "seeds, hardly images": (0.0, 0.15),
}
OF_IMAGE = 1.0
SEEDS = (3, 5, 10)
DRAWS = 300  # of a bootstrap


def truth(own: float, of_seed: float) -> float:
    """The difference of the schemes' accuracies over all images and seeds."""
    spread = np.sqrt(1 + OF_IMAGE**2 + own**2 + of_seed**2)
    return float(ndtr(EASE[0] / spread) - ndtr(EASE[1] / spread))


def simulated(seeds: int, own: float, of_seed: float, count: int) -> Iterator[np.ndarray]:
    """(seeds, images): the first's answers less the second's, whether they are right."""
    random = np.random.default_rng(seeds)
    images = len(LABELS)
    for _ in range(count):
        hard = random.normal(0, OF_IMAGE, images)
        right = []
        for ease in EASE:
            at = ease + hard + random.normal(0, own, images) + random.normal(0, of_seed, (seeds, 1))
            right.append(random.random((seeds, images)) < ndtr(at))
        yield right[0].astype(float) - right[1]


def of_differences(count: int) -> list[str]:
    lines = [
        "| what varies | seeds | `OverSeeds` | `over_images` | `bootstrap` | `over_seeds_and_images` |",
        "|---|---|---|---|---|---|",
    ]
    classes = [label == LABELS for label in range(7)]
    for name, (own, of_seed) in SCENES.items():
        true = truth(own, of_seed)
        for seeds in SEEDS:
            held = np.zeros(4)
            for right in simulated(seeds, own, of_seed, count):
                each = np.mean([right[:, of].mean(axis=1) for of in classes], axis=0)
                drawn = bootstrap(right, LABELS)
                intervals = (
                    OverSeeds.of(each).interval(),
                    over_images(right, LABELS).interval(),
                    (drawn[0] / 100, drawn[1] / 100),
                    over_seeds_and_images(right, LABELS).interval(),
                )
                held += [low <= true <= high for low, high in intervals]
            lines.append(f"| {name} | {seeds} | {' | '.join(f'{100 * share:.0f}' for share in held / count)} |")
    return lines


def of_seeds(count: int) -> list[str]:
    """Paired differences of seeds alone, normal: no difference; one as large as its deviation; one at the margin."""
    lines = [
        "| seeds | Student's t | test errs | equivalence errs | effect | effect of 1, told uncorrected "
        "| bootstrap of seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    random = np.random.default_rng(5)
    for seeds in SEEDS:
        drawn = random.normal(0, 1, (count, seeds))
        none, one, at_margin = ([OverSeeds.of(row) for row in rows] for rows in (drawn, drawn + 1, drawn / 5 + 1))
        means = drawn[:, random.integers(0, seeds, (DRAWS, seeds))].mean(axis=2)
        ends = ([of.interval() for of in none], [effect_interval(of) for of in one])
        held = [np.mean([low <= true <= high for low, high in of]) for true, of in enumerate(ends)]
        errs = np.mean([[of.p < 0.05 for of in none], [of.equivalent(1.0) < 0.05 for of in at_margin]], axis=1)
        low, high = np.percentile(means, [2.5, 97.5], axis=1)
        told = np.mean([of.mean / of.deviation for of in one])
        lines.append(
            f"| {seeds} | {100 * held[0]:.0f} | {100 * errs[0]:.1f} | {100 * errs[1]:.1f} | {100 * held[1]:.0f} "
            f"| {told:.2f} | {100 * np.mean((low <= 0) & (high >= 0)):.0f} |"
        )
    return lines


def of_improvement(count: int) -> list[str]:
    lines = ["| true probability | seeds | `probability_of_improvement` | bootstrap of seeds |", "|---|---|---|---|"]
    random = np.random.default_rng(0)
    for shift in (0.0, 1.0, 2.0):
        true = float(ndtr(shift / 2**0.5))
        for seeds in SEEDS:
            held = np.zeros(2)
            for _ in range(count):
                first, second = random.normal(shift, 1, seeds), random.normal(0, 1, seeds)
                found = probability_of_improvement(first, second)
                first_drawn, second_drawn = (of[random.integers(0, seeds, (DRAWS, seeds))] for of in (first, second))
                above = np.greater(first_drawn[:, :, None], second_drawn[:, None])
                low, high = np.percentile(above.mean(axis=(1, 2)), [2.5, 97.5])
                held += [found.low <= true <= found.high, low <= true <= high]
            lines.append(f"| {true:.2f} | {seeds} | {' | '.join(f'{100 * share:.0f}' for share in held / count)} |")
    return lines


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--count", type=int, default=600, help="simulated studies of each kind")
    given = parser.parse_args(arguments)
    hierarchical.RESAMPLES = DRAWS
    tables = of_seeds(10 * given.count), of_improvement(given.count), of_differences(given.count)
    print("\n\n".join("\n".join(table) for table in tables))


if __name__ == "__main__":
    main(sys.argv[1:])
