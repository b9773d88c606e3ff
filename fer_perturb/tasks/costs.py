"""What a phase costs in training: image passes, and floating-point operations. Validation is not counted."""

from dataclasses import dataclass

from torch import nn

from fer_perturb.data.datamodule import FaceDataModule
from fer_perturb.schemes.regions.regions import Regions
from fer_perturb.schemes.scheme import Scheme
from fer_perturb.tasks.flops import optimizer_flops, training_flops
from fer_perturb.tasks.recipe import Recipe


@dataclass(frozen=True)
class Cost:
    """passes: images that went through the network, each crop and view counted. flops: operations, forward and back."""

    passes: int
    flops: int


def training_cost(
    network: nn.Module, recipe: Recipe, image_size: tuple[int, int], *, steps: int, batch_size: int, versions: int
) -> Cost:
    """The cost of `steps` training steps, `batch_size` images in `versions` versions each, over the recipe's epochs."""
    passes = steps * batch_size * versions
    sizes = recipe.training_sizes(image_size)
    per_pass = {size: training_flops(network, size) for size in set(sizes)}
    flops = passes * sum(per_pass[size] for size in sizes) // len(sizes)
    return Cost(passes, flops + steps * optimizer_flops(network, recipe.optimizer))


def versions(recipe: Recipe, scheme: Scheme | None) -> int:
    """Versions of each image that a training step sees: crops, and views. scheme: None for phase 1."""
    return recipe.crops * (scheme.views_of_a_step if scheme else 1)


def attention_size(regions: Regions, recipe: Recipe, image_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width at which images are looked at for their attention."""
    return recipe.input_size(image_size) if regions.frame == "input" else image_size


def looks(scheme: Scheme, recipe: Recipe, data: FaceDataModule, epochs: int) -> int:
    """Images whose attention phase 2 and the re-clusterings of `epochs` epochs compute, all together."""
    if scheme.regions is None or scheme.attention is None:
        return 0
    splits, batch = data.data.splits, data.sampler.batch_size * recipe.crops
    first, each = scheme.regions.images_looked_at(len(splits["train"]), len(splits["val"]), batch)
    updates = sum(scheme.regions.should_update(epoch) for epoch in range(epochs))
    if scheme.attention.follows_predictor:
        return updates * (each if scheme.regions.frame == "input" else first + each)
    # phase 2 has made the regions of epoch 0, but for what is not stored
    return first + (updates - 1 if scheme.regions.frame == "input" else updates) * each
