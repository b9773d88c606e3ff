"""Equal compute: how many epochs a run may train for, to spend what another spends (docs/design.md)."""

from pathlib import Path
from typing import Any

from fer_perturb.errors import UserError, say
from fer_perturb.experiment.cost import Cost, Plan
from fer_perturb.experiment.experiment import Experiment
from fer_perturb.processes import is_first
from fer_perturb.runs.run_directory import read_summary

KINDS = ("epochs", "passes", "flops")


def within_budget(experiment: Experiment) -> Experiment:
    """The experiment for as many epochs as spend no more than its reference, and as much as they can.

    The reference is the run in `budget_of`, or else the baseline with this model and recipe. `budget=epochs` takes over
    its epochs. With `budget=passes` the image passes through the predictor in training are counted, and phase 1 keeps
    recipe.epochs; with `budget=flops` the operations of all phases, and phase 1 trains as long as the predictor (in
    both cases scheme.attention.epochs may say otherwise). Validation and the test are not counted; of the operations
    each re-clustering's are, even where the maps of each image turn out to have settled.

    Raises UserError for an unknown budget, a reference that is no finished run, or one that spends less than an epoch.
    """
    budget, named = experiment.settings["budget"], experiment.settings["budget_of"]
    if budget not in KINDS:
        raise UserError(f"budget={budget}: expected {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
    attention = experiment.scheme.attention
    asked = attention.phase_1_epochs if attention else None
    if budget == "epochs":
        if named is None:
            return experiment
        return experiment.trained_for(_trained(Path(str(named)))["predictor"]["epochs"], asked)
    phase_1_epochs = asked or (experiment.recipe.epochs if budget == "passes" else None)
    plan = Plan(experiment)

    def counted(cost: Cost) -> int:
        return cost.passes if budget == "passes" else cost.flops

    limit = counted(_spent(Path(str(named))) if named else plan.baseline())
    epochs = 0
    while counted(plan.run(epochs + 1, phase_1_epochs)) <= limit:
        epochs += 1
    if epochs == 0:
        raise UserError(
            f"budget={budget}: one epoch takes {counted(plan.run(1, phase_1_epochs)):.4g} {budget}, and the reference "
            f"spends {limit:.4g} in all; expected a reference that spends more, or a cheaper model or scheme/views."
        )
    if is_first():
        say(
            f"Budget: {epochs} epochs, which take {counted(plan.run(epochs, phase_1_epochs)):.4g} {budget} of the "
            f"{limit:.4g} that {named or f'the baseline takes for {experiment.recipe.epochs} epochs'} spends."
        )
    return experiment.trained_for(epochs, phase_1_epochs)


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
