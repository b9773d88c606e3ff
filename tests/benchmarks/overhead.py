"""Framework overhead: `trainer.fit` as the chain calls it against the bare step of the same network."""

import statistics

import torch

from benchmarks.bench import Bench
from benchmarks.fits import WARM_UP, bare_step, time_fit
from benchmarks.measure import Row, Target, take_turns

STEPS = {"resnet_small": 30, "resnet_tiny": 150}


def rows(bench: Bench) -> list[Row]:
    """`resnet_small` with the CPU recipe, and the demo's network with the demo's."""
    return [
        row(bench, "resnet_small", "cpu", batch_size=128, bound=0.95),
        row(bench, "resnet_tiny", "demo", batch_size=64, bound=None),
    ]


def row(bench: Bench, model: str, recipe: str, batch_size: int, bound: float | None) -> Row:
    """Images a second of both. Without a `bound` it is what augmentation alone allows, less 0.05."""
    chain = bench.chain(
        f"model={model}", f"recipe={recipe}", f"recipe.batch_size={batch_size}", "recipe.initial_size=null",
        "scheme=baseline",
    )  # fmt: skip
    steps = bench.count(STEPS[model])
    step = bare_step(bench, chain)
    augmentation = chain.predictor.task().augmentation.to(bench.device)
    images = torch.randint(
        256, (batch_size, 1, *chain.experiment.data.image_size), dtype=torch.uint8, device=bench.device
    )
    for _ in range(WARM_UP):
        step()
        augmentation(images)

    def augmented() -> None:  # each batch freed before the next, as in training
        for _ in range(steps):
            augmentation(images)

    turns = take_turns(
        {
            "ours": lambda: batch_size / time_fit(bench, chain, steps).step,
            "the bare step": lambda: batch_size * steps / bench.seconds(lambda: [step() for _ in range(steps)]),
            "augmentation": lambda: bench.seconds(augmented) / steps,
        },
        bench.rounds,
        warm_up=False,  # each has its own
    )
    rates, bare = turns.figures["ours"], turns.figures["the bare step"]
    share = statistics.median(turns.figures["augmentation"]) * statistics.median(bare) / batch_size
    return Row(
        f"framework overhead: {model}, batch {batch_size}",
        "images/s",
        rates,
        "the bare step",
        bare,
        Target("ratio", "at least", round(1 / (1 + share) - 0.05, 3) if bound is None else bound),
        note=f"augmentation alone takes {100 * share:.1f} % of a bare step",
    )
