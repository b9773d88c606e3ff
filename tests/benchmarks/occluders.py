"""Features hidden on the fly: what that adds to a training step of the default network."""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.bench import SIDE, Bench
from benchmarks.fits import WARM_UP, bare_step
from benchmarks.measure import Row, Target, take_turns
from fer_perturb.data.drawn_faces.drawing import draw_faces
from fer_perturb.data.occlusion.occluder import Occluder

HIDDEN = ("mouth", "eyes", "mask", "mask-noise", "mask-blur", "mask-skin", "mouth-skin+eyes-skin")
SMALLEST = 32  # recipe=quick begins with it; what is hidden of the picture is hidden at its full size
STEPS = 20


def rows(bench: Bench) -> list[Row]:
    """Milliseconds a batch, beside the step that trains on it, at the first and the last resolution of recipe=quick."""
    chain = bench.chain("model=seresnet_light", "recipe=quick", "scheme=baseline")
    faces = draw_faces(chain.experiment.recipe.batch_size, seed=0)
    images = torch.tensor(faces.images, device=bench.device).unsqueeze(1)
    landmarks = torch.tensor(faces.landmarks, device=bench.device)
    return [
        row(bench, name, side, bare_step(bench, chain, (side, side)), images, landmarks)
        for side in (SMALLEST, SIDE)
        for name in HIDDEN
    ]


def row(bench: Bench, name: str, side: int, step: Callable[[], None], images: Tensor, landmarks: Tensor) -> Row:
    steps = bench.count(STEPS)
    occluder = Occluder.from_name(name)
    assert occluder is not None

    def milliseconds(work: Callable[[], object]) -> float:
        return 1000 * bench.seconds(lambda: [work() for _ in range(steps)]) / steps

    for _ in range(WARM_UP):
        step()
    turns = take_turns(
        {"ours": lambda: milliseconds(lambda: occluder(images, landmarks)), "a step": lambda: milliseconds(step)},
        bench.rounds,
    )
    return Row(
        f"hidden on the fly: {name}, trained at {side} pixels",
        "ms a batch",
        turns.figures["ours"],
        "a step of seresnet_light",
        turns.figures["a step"],
        Target("ratio", "at most", 0.05),
    )
