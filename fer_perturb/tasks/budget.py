"""Equal compute: how many epochs a run may train for, to spend what another spends (DESIGN: decision 7)."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import nn

from fer_perturb.data.packed import PackedData
from fer_perturb.errors import UserError, say
from fer_perturb.schemes.scheme import Scheme
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.costs import Cost, attention_size, looks, training_cost, versions
from fer_perturb.tasks.fitting import steps_of_epoch
from fer_perturb.tasks.flops import forward_flops
from fer_perturb.tasks.run_directory import read_summary

KINDS = ("epochs", "passes", "flops")


def within_budget(config: DictConfig, data: PackedData) -> DictConfig:
    """The config with recipe.epochs such that the run spends no more than its reference, and as much as it can.

    The reference is the run in `budget_of`, or else the baseline with this model and recipe. `budget=epochs` takes over
    its epochs. With `budget=passes` the image passes through the predictor in training are counted, and phase 1 keeps
    recipe.epochs; with `budget=flops` the operations of all phases, and phase 1 trains as long as the predictor (in
    both cases scheme.attention.epochs may say otherwise). Validation and the test are not counted; of the operations
    each re-clustering's are, even where the maps of each image turn out to have settled.

    Raises UserError for an unknown budget, a reference that is no finished run, or one that spends less than an epoch.
    """
    if config.budget not in KINDS:
        raise UserError(f"budget={config.budget}: expected {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
    if config.budget == "epochs":
        if config.budget_of is not None:
            config = config.copy()
            config.recipe.epochs = _trained(Path(str(config.budget_of)))["predictor"]["epochs"]
        return config
    chain = Chain(config, data, lambda phase: None)
    asked = chain.scheme.attention.phase_1_epochs if chain.scheme.attention else None
    if config.budget == "passes" and asked is None:
        asked = chain.recipe.epochs
    costs = Costs(chain, asked)
    counted: Callable[[Cost], int] = (lambda cost: cost.passes) if config.budget == "passes" else (lambda c: c.flops)
    limit = counted(_spent(Path(str(config.budget_of))) if config.budget_of else costs.baseline())
    epochs = 0
    while counted(costs.run(epochs + 1)) <= limit:
        epochs += 1
    if epochs == 0:
        raise UserError(
            f"budget={config.budget}: one epoch takes {counted(costs.run(1)):.4g} {config.budget}, and the reference "
            f"spends {limit:.4g} in all; expected a reference that spends more, or a cheaper model or scheme/views."
        )
    message = (
        f"Budget: {epochs} epochs, which take {counted(costs.run(epochs)):.4g} {config.budget} of the {limit:.4g} that "
        f"{config.budget_of or f'the baseline takes for {chain.recipe.epochs} epochs'} spends."
    )
    if chain.first:
        say(message)
    config = config.copy()
    config.recipe.epochs = epochs
    if chain.has_phase_1:
        config.scheme.attention.epochs = asked
    return config


class Costs:
    """What a chain would cost, for any number of epochs: `passes` are the predictor's, `flops` those of all phases."""

    def __init__(self, chain: Chain, phase_1_epochs: int | None) -> None:
        self.scheme, self.recipe, self.data = chain.scheme, chain.recipe, chain.data
        self.phase_1_epochs = phase_1_epochs
        self.predictor = chain.network(chain.config.model, "model")
        self.frozen = chain.attention_classifier().network if chain.has_phase_1 else None
        self.image_size = chain.data.data.image_size
        self.steps = steps_of_epoch(chain.config.trainer, chain.data)
        if self.steps < 1:
            limit = chain.config.trainer.limit_train_batches
            raise UserError(f"trainer.limit_train_batches={limit} leaves no step an epoch, so no budget can be spent.")

    def baseline(self) -> Cost:
        """The plain network, for the recipe's epochs."""
        return self._training(self.predictor, self.recipe.epochs, None)

    def run(self, epochs: int) -> Cost:
        """All phases, the predictor trained for that many epochs."""
        own = self._training(self.predictor, epochs, self.scheme)
        flops = own.flops
        if self.frozen:
            flops += self._training(self.frozen, self.phase_1_epochs or epochs, None).flops
        follows = self.scheme.attention is not None and self.scheme.attention.follows_predictor
        looking = self.predictor if follows else self.frozen
        if looking and self.scheme.regions:
            size = attention_size(self.scheme.regions, self.recipe, self.image_size)
            flops += looks(self.scheme, self.recipe, self.data, epochs) * forward_flops(looking, size)
        if self.scheme.reestimate_bn:
            whole = len(self.data.sampler) * self.data.sampler.batch_size
            flops += whole * forward_flops(self.predictor, self.recipe.input_size(self.image_size))
        return Cost(own.passes, flops)

    def _training(self, network: nn.Module, epochs: int, scheme: Scheme | None) -> Cost:
        recipe = replace(self.recipe, epochs=epochs)
        return training_cost(
            network,
            recipe,
            self.image_size,
            steps=epochs * self.steps,
            batch_size=self.data.sampler.batch_size,
            versions=versions(recipe, scheme),
        )


def _spent(run: Path) -> Cost:
    """What a finished run spent."""
    phases = _trained(run)
    return Cost(phases["predictor"]["passes"], sum(phase.get("flops", 0) for phase in phases.values() if phase))


def _trained(run: Path) -> dict[str, Any]:
    """What a finished run's phases recorded."""
    phases: dict[str, Any] = read_summary(run, "budget_of", phases=False)["phases"]
    if phases["predictor"] is None:
        raise UserError(f"budget_of={run} is an ensemble, which trains nothing itself: name one of its members.")
    return phases
