"""Input pipeline: uint8 batches, augmented as tensors, against torchvision's transforms of PIL images, one thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torchvision import transforms

from benchmarks.bench import SIDE, Bench
from benchmarks.measure import Row, Target, against_peers, take_turns
from fer_perturb.data.augmentation.augment import Augmentation
from fer_perturb.data.drawn_faces.drawing import draw_faces
from fer_perturb.data.loading.batches import Batches, ShuffledBatches

BATCH = 128
CROP = 40
IMAGES = 8192  # a turn; PIL, slower, has an eighth of them


def rows(bench: Bench) -> list[Row]:
    """The full augmentation set of recipe=paper, without and with its five crops; and drawing faces."""
    with one_thread():
        whole = take_turns(
            {"ours": lambda: our_rate(bench, None), "torchvision, PIL": lambda: pil_rate(bench, five_crops=False)},
            bench.rounds,
        )
        drawn = take_turns({"ours": lambda: drawing_rate(bench)}, bench.rounds)
        crops = take_turns(
            {"ours": lambda: our_rate(bench, CROP), "torchvision, PIL": lambda: pil_rate(bench, five_crops=True)},
            bench.rounds,
        )
    what, unit = "input pipeline, one thread", "images/s"
    return [
        Row(what, unit, whole.figures["ours"], target=Target("ours", "at least", 12_000)),
        *against_peers(whole, what, unit, {"torchvision, PIL": Target("ratio", "at least", 6)}),
        *against_peers(crops, f"{what}, five crops", unit),
        Row("drawing faces, one thread", unit, drawn.figures["ours"], target=Target("ours", "at least", 2_000)),
    ]


def our_rate(bench: Bench, crop: int | None) -> float:
    """Images a second from the packed array to what the network is given."""
    settings = bench.chain("recipe=paper").experiment.recipe.augmentation
    augmentation = Augmentation(settings, crop).to(bench.device)
    split = bench.data.splits["train"]
    batches = Batches(split)
    order = list(ShuffledBatches(np.arange(len(split)), BATCH, seed=0))[: bench.count(IMAGES) // BATCH + 1]

    def work() -> None:
        for rows in order:
            images, _ = augmentation(batches[rows]["image"].to(bench.device))
            _ = (images - 0.5) / 0.25

    return BATCH * len(order) / bench.seconds(work)


def drawing_rate(bench: Bench) -> float:
    """Drawn faces a second, which the demo makes before it trains."""
    count = bench.count(512, least=8)
    return count / bench.seconds(lambda: draw_faces(count, seed=0))


def pil_rate(bench: Bench, five_crops: bool) -> float:
    """Images a second of the author's transforms, image by image (his list, without his second division by 255)."""
    from PIL import Image

    finish: list[Any] = [transforms.ToTensor(), transforms.Normalize(0.5, 0.25), transforms.RandomErasing()]
    if five_crops:
        crop = transforms.Compose(finish)
        finish = [transforms.FiveCrop(CROP), transforms.Lambda(lambda crops: torch.stack([crop(one) for one in crops]))]
    pipeline = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIDE, scale=(0.8, 1.2)),
            transforms.RandomApply([transforms.ColorJitter(brightness=0.5, contrast=0.5)], p=0.5),
            transforms.RandomApply([transforms.RandomAffine(0, translate=(0.2, 0.2))], p=0.5),
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply([transforms.RandomRotation(10)], p=0.5),
            *finish,
        ]
    )
    images = bench.data.splits["train"].images[: bench.count(IMAGES // 8, least=16)]
    seconds = bench.seconds(lambda: torch.stack([pipeline(Image.fromarray(image)) for image in images]))
    return len(images) / seconds


@contextmanager
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
