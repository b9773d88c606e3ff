"""Optuna's TPE, whose draws for a trial follow from the seed and from how many points there are before it.

So neither a search that is resumed, nor one of several processes, draws again what was drawn before it, and a search
that was killed draws what it would have drawn.
"""

from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

from fer_perturb.seeds import derive

AGAIN = "again"  # of a trial: the number of the one that was killed, whose point it has


class SeededByTrial(BaseSampler):
    """seed: of all draws together."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def _of(self, study: Study, trial: FrozenTrial, *purpose: str) -> TPESampler:
        earlier = study.get_trials(deepcopy=False)[: trial.number]
        place = sum(AGAIN not in one.user_attrs for one in earlier)
        return TPESampler(seed=derive(self.seed, "trial", place, *purpose))

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._of(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._of(study, trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._of(study, trial, param_name).sample_independent(study, trial, param_name, param_distribution)
