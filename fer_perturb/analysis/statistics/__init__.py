"""What differs between runs, how surely, and what would show it (docs/statistics.md: which estimator is for what)."""

from fer_perturb.analysis.statistics.estimate import Estimate, OverSeeds, effect_interval
from fer_perturb.analysis.statistics.hierarchical import bootstrap
from fer_perturb.analysis.statistics.images import over_images, over_seeds_and_images
from fer_perturb.analysis.statistics.improvement import Improvement, probability_of_improvement
from fer_perturb.analysis.statistics.significance import holm, mcnemar

__all__ = [
    "Estimate",
    "Improvement",
    "OverSeeds",
    "bootstrap",
    "effect_interval",
    "holm",
    "mcnemar",
    "over_images",
    "over_seeds_and_images",
    "probability_of_improvement",
]
