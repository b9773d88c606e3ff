"""Optuna's TPE, whose draws for a trial follow from the seed and the trial's number.

So neither a search that is resumed, nor one of several processes, draws again what was drawn before it.
"""

from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

from fer_perturb.seeds import derive


class SeededByTrial(BaseSampler):
    """seed: of all draws together."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def _of(self, trial: FrozenTrial, *purpose: str) -> TPESampler:
        return TPESampler(seed=derive(self.seed, "trial", trial.number, *purpose))

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._of(trial, param_name).sample_independent(study, trial, param_name, param_distribution)
