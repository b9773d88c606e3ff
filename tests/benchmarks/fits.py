"""`trainer.fit` as the chain calls it, and the bare step of the same network, by the clock."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.bench import COUNTS, Bench, quiet
from fer_perturb.runs.phase_cache import PhaseResult
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.phases.cluster_mask_callback import ClusterMaskCallback
from fer_perturb.tasks.phases.sight import RunAttention
from fer_perturb.tasks.phases.trained import WEIGHTS
from fer_perturb.tasks.training.loggers import phase_logger
from fer_perturb.tasks.training.trainer import fit

WARM_UP = 5  # steps of each fit before the clock starts


@dataclass(frozen=True)
class FitTimes:
    """Seconds: a training step; one validation of all of val; a re-clustering without its attention pass, and that."""

    step: float
    validation: float
    clustering: float
    attention: float


class StepClock(pl.Callback):
    """Seconds of a training step, over all after the first WARM_UP, and of an image in validation."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.started = 0.0
        self.step = 0.0
        self.validation_image = 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        done, steps = trainer.fit_loop.batch_idx + 1, int(trainer.num_training_batches)
        if done in (WARM_UP, steps):  # only then: to wait for the device at each step would slow it
            self.bench.wait()
        if done == WARM_UP:
            self.started = time.perf_counter()
        elif done == steps:
            self.step = (time.perf_counter() - self.started) / (steps - WARM_UP)

    def on_validation_batch_start(self, *_: Any) -> None:
        self.bench.wait()
        self.started = time.perf_counter()

    def on_validation_batch_end(self, trainer: pl.Trainer, task: Any, outputs: Any, batch: Any, *_: Any) -> None:
        self.bench.wait()
        self.validation_image = (time.perf_counter() - self.started) / len(batch["label"])


def time_fit(bench: Bench, chain: Chain, steps: int, source: RunAttention | None = None) -> FitTimes:
    """An epoch of `steps` steps, after a few to warm up, with all that the chain has around them."""
    task = chain.predictor.task(source)
    clustering = [ClusterMaskCallback()] if source else []
    steps = min(steps + WARM_UP, len(chain.run.data.sampler))
    clock = StepClock(bench)
    settings = {**chain.experiment.trainer, "limit_train_batches": steps, "limit_val_batches": 1}
    looking = AttentionClock(bench, source)
    with tempfile.TemporaryDirectory(dir=bench.directory) as folder, quiet():
        run = Path(folder)
        with phase_logger(replace(chain.experiment, outputs=run), "predictor") as logger:
            fit(task, chain.run.data, settings=settings, directory=run, logger=logger, callbacks=[*clustering, clock])
    spent = clustering[0].history[0]["seconds"] if clustering else 0.0
    validation = clock.validation_image * bench.count(COUNTS["val"])
    return FitTimes(clock.step, validation, spent - looking.seconds, looking.seconds)


class AttentionClock:
    """Seconds that the frozen classifier spends on its attention passes from now on."""

    def __init__(self, bench: Bench, source: RunAttention | None) -> None:
        self.seconds = 0.0
        if source is None or source.frozen is None:
            return
        look = type(source.frozen).attention.__get__(source.frozen)

        def attention(images: Tensor) -> Tensor:
            maps: list[Tensor] = []
            self.seconds += bench.seconds(lambda: maps.append(look(images)))
            return maps[0]

        source.frozen.__dict__["attention"] = attention


def attention_source(bench: Bench, chain: Chain) -> tuple[RunAttention, float]:
    """Phase 2 as the chain runs it, on the weights that phase 1 starts from; and the seconds that it took."""
    directory = Path(tempfile.mkdtemp(dir=bench.directory))
    assert chain.attention is not None
    assert chain.clustering is not None
    weights = chain.attention.classifier().state_dict()
    save_file({key: value.contiguous() for key, value in weights.items()}, directory / WEIGHTS)
    chain.attention.result = PhaseResult("made up", directory, False, {})
    chain.run.cache, chain.clustering.result = directory / "cache", None  # where phase 2 is not stored already
    with quiet():
        clustering = chain.clustering.finish()
    return chain.predictor.sight(), float(clustering.record["seconds"])


def bare_step(bench: Bench, chain: Chain, size: tuple[int, int] | None = None) -> Callable[[], None]:
    """Forward, loss, backward and update of the chain's network on one fixed batch of that size, and nothing else."""
    task = chain.predictor.task().to(bench.device).train()
    height, width = size or chain.experiment.data.image_size
    images = task.normalise(torch.rand(chain.experiment.recipe.batch_size, 1, height, width, device=bench.device))
    labels = torch.arange(len(images), device=bench.device) % len(chain.experiment.data.classes)
    optimizer = chain.experiment.recipe.optimizer(task.network.parameters())
    mixed = chain.experiment.recipe.precision == "bf16-mixed"

    def step() -> None:
        with torch.autocast(bench.device.type, dtype=torch.bfloat16, enabled=mixed):
            loss = task.loss(task.network(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
