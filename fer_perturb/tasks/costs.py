"""What a phase costs in training: image passes, and floating-point operations. Validation is not counted."""

from dataclasses import dataclass

from torch import nn

from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.tasks.flops import optimizer_flops, training_flops
from fer_perturb.tasks.recipe import Recipe
from fer_perturb.tasks.scheme import Scheme


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
    views = scheme.n_clusters + 1 if scheme and scheme.masks and scheme.views == "all" else 1
    return recipe.crops * views


def attention_size(scheme: Scheme, recipe: Recipe, image_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width at which images are looked at for their attention."""
    return recipe.input_size(image_size) if scheme.scope == "batch" else image_size


def clustering_images(scheme: Scheme, recipe: Recipe, data: FaceDataModule) -> int:
    """Images whose attention phase 2 looks at."""
    return data.sampler.batch_size * recipe.crops if scheme.scope == "batch" else len(data.data.splits["train"])


def attention_passes(scheme: Scheme, recipe: Recipe, data: FaceDataModule) -> int:
    """Images whose attention one re-clustering computes; stored attention costs none."""
    if scheme.scope == "batch":
        return data.sampler.batch_size * recipe.crops
    own = len(data.data.splits["train"]) if scheme.attention == "self" else 0
    return own + (len(data.data.splits["val"]) if scheme.scope == "image" else 0)
