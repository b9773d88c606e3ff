"""Utilisation: operations a second of a training step, against the machine's best matrix product in the same dtype."""

import torch

from benchmarks.bench import Bench
from benchmarks.fits import WARM_UP, bare_step
from benchmarks.measure import Row, Target, take_turns
from fer_perturb.experiment.flops import training_flops

ON_A_CPU = ("seresnet_light", "seresnet_small", "resnet_small", "vgg16_small", "densenet_small")
ON_A_GPU = ("seresnet_wide", "seresnet_small", "vgg16_small", "densenet_small")
DEFAULTS = ("seresnet_light", "seresnet_small", "seresnet_wide")  # of quick, hour and gpu
SIDES = {"cpu": (512, 1024, 2048), "cuda": (2048, 4096, 8192)}  # of the matrices; the fastest of them counts
STEPS = {"cpu": 10, "cuda": 50}


def rows(bench: Bench) -> list[Row]:
    """TFLOP/s of each network's bare step, and of a matrix product, in turn."""
    return [row(bench, name) for name in (ON_A_CPU if bench.device.type == "cpu" else ON_A_GPU)]


def row(bench: Bench, model: str) -> Row:
    """With the recipe that the network is for, in the precision that the device computes in."""
    recipe = "quick" if bench.device.type == "cpu" else "gpu"
    chain = bench.chain(f"model={model}", f"recipe={recipe}", "recipe.initial_size=null", "scheme=baseline")
    experiment, step = chain.experiment, bare_step(bench, chain)
    batch, steps = experiment.recipe.batch_size, bench.count(STEPS[bench.device.type])
    operations = training_flops(experiment.build(experiment.network), experiment.data.image_size) * batch
    dtype = torch.bfloat16 if experiment.recipe.precision == "bf16-mixed" else torch.float32
    for _ in range(WARM_UP):
        step()

    def steps_of_training() -> float:
        return operations * steps / bench.seconds(lambda: [step() for _ in range(steps)]) / 1e12

    turns = take_turns(
        {"ours": steps_of_training, "product": lambda: fastest_product(bench, dtype)}, bench.rounds, warm_up=True
    ).figures
    return Row(
        f"utilisation: {model}, batch {batch}, {experiment.recipe.precision}",
        "TFLOP/s",
        turns["ours"],
        "a matrix product",
        turns["product"],
        Target("ratio", "at least", 0.6) if model in DEFAULTS else None,
        note=f"{torch.get_num_threads()} threads" if bench.device.type == "cpu" else "",
    )


def fastest_product(bench: Bench, dtype: torch.dtype) -> float:
    """TFLOP/s of the product of two square matrices, of the size that is fastest here."""
    return max(product(bench, dtype, bench.count(side, least=64)) for side in SIDES[bench.device.type])


def product(bench: Bench, dtype: torch.dtype, side: int, times: int = 4) -> float:
    left, right = (torch.rand(side, side, device=bench.device).to(dtype) for _ in range(2))
    torch.mm(left, right)
    seconds = bench.seconds(lambda: [torch.mm(left, right) for _ in range(times)])
    return 2 * side**3 * times / seconds / 1e12
