"""What training costs: image passes, and floating-point operations; planned for a number of epochs, or spent.

Validation and testing are not counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import nn

from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.errors import UserError
from fer_perturb.experiment.experiment import Experiment
from fer_perturb.experiment.flops import forward_flops, optimizer_flops, training_flops
from fer_perturb.experiment.recipe import Recipe
from fer_perturb.schemes.scheme import Scheme

Size = tuple[int, int]


@dataclass(frozen=True)
class Cost:
    """passes: images that went through a network in training, each crop and view counted. flops: operations."""

    passes: int
    flops: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.passes + other.passes, self.flops + other.flops)


def training(
    network: nn.Module, recipe: Recipe, image_size: tuple[int, int], *, images: int, step: int, views: int
) -> Cost:
    """`images` seen in steps of `step`, over the recipe's epochs, in `views` views each: forward and back."""
    steps = images // step
    passes = steps * step * recipe.crops * views
    sizes = recipe.training_sizes(image_size)
    per_pass = {size: training_flops(network, size) for size in set(sizes)}
    flops = passes * sum(per_pass[size] for size in sizes) // len(sizes)
    return Cost(passes, flops + steps * optimizer_flops(network, recipe.optimizer))


def looking(
    network: nn.Module | None, scheme: Scheme, recipe: Recipe, image_size: tuple[int, int], images: int
) -> Cost:
    """The attention on `images` computed with `network`; nothing where it is nobody's."""
    if network is None or scheme.regions is None:
        return Cost(0, 0)
    size = recipe.input_size(image_size) if scheme.regions.frame == "input" else image_size
    return Cost(0, images * forward_flops(network, size))


def batch_norm(network: nn.Module, recipe: Recipe, image_size: Size, images: int) -> Cost:
    """Batch norm's statistics made anew from `images`."""
    return Cost(0, images * forward_flops(network, recipe.input_size(image_size)))


class Plan:
    """What an experiment would cost for any number of epochs: `passes` are the predictor's, `flops` of all phases."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment, self.batches = experiment, experiment.batches()
        self.predictor = experiment.build(experiment.network)
        has_phase_1 = experiment.scheme.has_phase_1
        self.phase_1 = experiment.build(experiment.attention_network) if has_phase_1 else None
        self.steps = steps_of_epoch(experiment.trainer, self.batches)
        if self.steps < 1:
            limit = experiment.trainer["limit_train_batches"]
            raise UserError(f"trainer.limit_train_batches={limit} leaves no step an epoch, so no budget can be spent.")

    def baseline(self) -> Cost:
        """The plain network, for the recipe's epochs."""
        return self._training(self.predictor, self.experiment.recipe.epochs, 1)

    def run(self, epochs: int, phase_1_epochs: int | None) -> Cost:
        """All phases, the predictor trained for that many epochs, and phase 1 for its own (None: as many)."""
        scheme, recipe = self.experiment.scheme, self.experiment.recipe
        size = self.experiment.data.image_size
        own = self._training(self.predictor, epochs, scheme.views_of_a_step)
        others = []
        others.append(self.of_phase_1(phase_1_epochs or epochs))
        if scheme.attention is not None:
            looker = self.predictor if scheme.attention.follows_predictor else self.phase_1
            others.append(looking(looker, scheme, recipe, size, looks(scheme, recipe, self.batches, epochs)))
        if scheme.reestimate_bn:
            whole = len(self.batches.sampler) * self.batches.sampler.batch_size
            others.append(batch_norm(self.predictor, recipe, size, whole))
        return Cost(own.passes, own.flops + total(others).flops)

    def of_phase_1(self, epochs: int) -> Cost:
        """Phase 1 alone; nothing where the scheme has none."""
        return Cost(0, 0) if self.phase_1 is None else self._training(self.phase_1, epochs, 1)

    def _training(self, network: nn.Module, epochs: int, views: int) -> Cost:
        recipe, step = replace(self.experiment.recipe, epochs=epochs), self.batches.sampler.batch_size
        size = self.experiment.data.image_size
        return training(network, recipe, size, images=epochs * self.steps * step, step=step, views=views)


def total(costs: Iterable[Cost]) -> Cost:
    return sum(costs, Cost(0, 0))


def looks(scheme: Scheme, recipe: Recipe, batches: FaceDataModule, epochs: int) -> int:
    """Images whose attention phase 2 and the re-clusterings of `epochs` epochs compute, all together."""
    if scheme.regions is None or scheme.attention is None:
        return 0
    splits, batch = batches.packed.splits, batches.sampler.batch_size * recipe.crops
    first, each = scheme.regions.images_looked_at(len(splits["train"]), len(splits["val"]), batch)
    updates = sum(scheme.regions.should_update(epoch) for epoch in range(epochs))
    if scheme.attention.follows_predictor:
        return updates * (each if scheme.regions.frame == "input" else first + each)
    # phase 2 has made the regions of epoch 0, but for what is not stored
    return first + (updates - 1 if scheme.regions.frame == "input" else updates) * each


def steps_of_epoch(trainer: dict[str, object], batches: FaceDataModule) -> int:
    """How many steps the settings of conf/trainer leave to an epoch; 0 is none."""
    limit, all_of_them = trainer["limit_train_batches"], len(batches.sampler)
    if isinstance(limit, int):
        return min(all_of_them, limit)
    share = limit if isinstance(limit, float) else 1.0  # Lightning's default
    return int(all_of_them * share)  # as Lightning does
