"""What a run of the plan will cost, as the project counts it for its budgets."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from omegaconf import DictConfig, OmegaConf

from fer_perturb.experiment.cost import Plan
from fer_perturb.experiment.experiment import open_experiment


@dataclass(frozen=True)
class Cost:
    """Operations of phase 1 and of the rest, and hours of training; None where no run has told the speed yet."""

    attention: int = 0
    rest: int = 0
    speed: float | None = None  # operations an hour
    hours: float = 0.0

    def without_attention(self) -> "Cost":
        """Where another run of the block has trained phase 1."""
        less = self.attention / self.speed if self.speed else 0.0
        return replace(self, attention=0, hours=self.hours - less)

    def __add__(self, other: "Cost") -> "Cost":
        speed = other.speed if self.speed is None else self.speed
        return Cost(self.attention + other.attention, self.rest + other.rest, speed, self.hours + other.hours)

    def __str__(self) -> str:
        told = f"{(self.attention + self.rest) / 1e15:.3f} PFLOP"
        return f"{told}, {self.hours:.2f} hours of training" if self.speed else told


def cost_of(config: DictConfig, network: str, rows: Iterable[dict[str, str]]) -> Cost:
    """What the run that `config` (conf/train.yaml, composed) describes costs, at the speed of the network's `rows`."""
    attention, rest = _flops(OmegaConf.to_yaml(config, resolve=True).replace(f"seed: {config.seed}", "seed: 0"))
    own = [row for row in rows if row["network"] == network and float(row["predictor_seconds"])]
    seconds = sum(float(row["predictor_seconds"]) for row in own)
    speed = 3600 * sum(float(row["predictor_flops"]) for row in own) / seconds if seconds else None
    return Cost(attention, rest, speed, (attention + rest) / speed if speed else 0.0)


@cache
def _flops(config: str) -> tuple[int, int]:
    """Of phase 1 and of the rest; the seed makes no difference."""
    made = OmegaConf.create(config)
    assert isinstance(made, DictConfig)
    experiment = open_experiment(made)
    plan, phase_1 = Plan(experiment), experiment.attention_recipe.epochs
    whole = plan.run(experiment.recipe.epochs, phase_1).flops
    attention = plan.of_phase_1(phase_1).flops
    return attention, whole - attention
