"""What a GPU changes. Each test runs on the CPU too, in the same code, and on a GPU where there is one (`-m gpu`)."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from composing import small, small_overrides
from forking import Hold, forked
from numpy.typing import NDArray
from stepping import ready

from fer_perturb.data.loading.batches import Batches, ResidentBatches
from fer_perturb.data.packed import load_packed
from fer_perturb.perturb.features import pixel_features
from fer_perturb.perturb.kmeans import batched_kmeans, kmeans
from fer_perturb.train import train

on_a_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
two_gpus = [pytest.mark.gpu, pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")]
everywhere = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=on_a_gpu)])
BEFORE_THE_TEST = Hold("fer_perturb.tasks.phases.predictor:Predictor.training_step", 4)


def accelerated(device: str) -> list[str]:
    """Overrides after those of composing.py, which hold a run to the CPU."""
    return [f"trainer.accelerator={'gpu' if device == 'cuda' else 'cpu'}"]


@everywhere
def test_clusters_are_those_of_the_cpu(device: str) -> None:
    maps = torch.rand(8, 48, 48, generator=torch.Generator().manual_seed(0)).cumsum(1).cumsum(2)
    points = pixel_features(maps / maps.amax((1, 2), keepdim=True), position_weight=1.5, attention_weight=1.2)
    start = points[0, [0, 1000, 2000]]
    here, there = kmeans(points[0], 3, seed=0, start=start), kmeans(points[0].to(device), 3, seed=0, start=start)
    assert there.labels.device.type == device
    assert (here.labels == there.labels.cpu()).float().mean() > 0.999
    assert there.inertia == pytest.approx(here.inertia, rel=1e-3)
    labels, centres, _ = batched_kmeans(points, start)
    of_each, their_centres, _ = batched_kmeans(points.to(device), start.to(device))
    assert (labels == of_each.cpu()).float().mean() > 0.999
    torch.testing.assert_close(their_centres.cpu(), centres, atol=1e-3, rtol=0)


@everywhere
def test_what_lies_on_the_device_is_what_lies_on_disk(data_directory: Path, device: str) -> None:
    split = load_packed(data_directory / "synthetic").splits["train"]
    there, here = ResidentBatches(split, torch.device(device)), Batches(split)
    rows = np.array([5, 0, 63, 5])
    for key, expected in here[rows].items():
        assert there[rows][key].device.type == device
        assert torch.equal(there[rows][key].cpu(), expected)


@everywhere
def test_bf16_computes_what_fp32_does(data_directory: Path, tmp_path: Path, device: str) -> None:
    task, batch = ready(data_directory, tmp_path, "scheme=baseline", device=device)
    losses = []
    for enabled in (False, True):
        task.on_train_batch_start(batch, 0)  # the same draws
        with torch.autocast(device, torch.bfloat16, enabled=enabled):
            losses.append(task.training_step(batch, 0).float())
    assert losses[0] != losses[1]
    torch.testing.assert_close(*losses, atol=0.05, rtol=0)


@contextmanager
def no_waiting(device: str) -> Iterator[None]:
    """An error where the host waits for a GPU; of the CPU test_step_without_sync.py says more."""
    if device == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        if device == "cuda":
            torch.cuda.set_sync_debug_mode("default")


@everywhere
@pytest.mark.parametrize(
    "scheme", [["scheme=baseline", "recipe.mixup=0.2"], ["scheme=perturb"], ["scheme=perturb_image"]], ids=" ".join
)
def test_a_step_does_not_wait(data_directory: Path, tmp_path: Path, device: str, scheme: list[str]) -> None:
    task, batch = ready(data_directory, tmp_path, *scheme, device=device)
    for step in range(2):  # what is made once is made in the first
        task.on_train_batch_start(batch, step)
        with no_waiting(device if step else "cpu"):
            loss = task.training_step(batch, step)
            loss.backward()
    assert loss.isfinite()


@everywhere
def test_a_chain_runs_there(data_directory: Path, tmp_path: Path, device: str) -> None:
    _, summary = train(small(data_directory, tmp_path, "scheme=perturb", *accelerated(device)))
    assert (summary["device"] == torch.cuda.get_device_name()) if device == "cuda" else summary["device"]
    assert sum(summary["phases"]["clustering"]["areas"]) == pytest.approx(1)
    assert np.isfinite(logits(tmp_path)).all()


def logits(outputs: Path) -> NDArray[np.float32]:
    (path,) = outputs.glob("synthetic/*/*/*/predictions/synthetic.parquet")
    table = pq.read_table(path)
    return np.stack([table[name].to_numpy() for name in table.column_names if name.startswith("logit_")])


@pytest.mark.slow
@everywhere
def test_a_chain_that_is_killed_goes_on(data_directory: Path, tmp_path: Path, device: str) -> None:
    words = {
        name: [*small_overrides(data_directory, tmp_path / name), "scheme=perturb_image", *accelerated(device)]
        for name in ("pieces", "whole")
    }
    killed = forked("train", *words["pieces"], folder=tmp_path / "killed", before=BEFORE_THE_TEST)
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    for name, of in words.items():
        started = forked("train", *of, folder=tmp_path / f"{name}_shown")
        assert started.status == 0, started.err
    pieces, whole = logits(tmp_path / "pieces"), logits(tmp_path / "whole")
    if device == "cpu":
        assert np.array_equal(pieces, whole)
    # a GPU adds in an order of its own
    np.testing.assert_allclose(pieces, whole, atol=0.05)


@pytest.mark.parametrize("devices", [pytest.param(2, marks=two_gpus)])
def test_two_train_one_run(data_directory: Path, tmp_path: Path, devices: int) -> None:
    """Of two processes on the CPU tests/tasks/test_two_processes.py says more."""
    words = [*small_overrides(data_directory, tmp_path), *accelerated("cuda"), f"trainer.devices={devices}"]
    started = forked("train", *words, "scheme=perturb", folder=tmp_path / "shown")
    assert started.status == 0, started.err
    assert np.isfinite(logits(tmp_path)).all()
