"""Two processes on the CPU (gloo) train one run together."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from composing import BATCH, TEST, small, small_overrides
from forking import Forked, Hold, forked
from hydra.core.hydra_config import HydraConfig
from lightning_fabric.strategies.launchers.subprocess_script import _hydra_subprocess_cmd

from fer_perturb.data.loading.batches import ShuffledBatches
from fer_perturb.errors import UserError
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.files import PARTIAL
from fer_perturb.processes import APART
from fer_perturb.tasks.chain import Chain

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
TWICE = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ODD = ("dataset.name=odd", "dataset.drawing.val=13")  # images that two processes cannot share evenly


def python(*arguments, status=0):
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=900
    )
    assert ran.returncode == status, ran.stdout + ran.stderr
    return ran


SCHEMES = [
    ["scheme=perturb"],
    ["scheme=perturb_image", "scheme/views=sample"],
    # batch norm differs from process to process, and with it what each would see
    ["scheme=perturb_image", "scheme/attention=own_gates", "model.attention.at=[stage1]"],
]


@pytest.fixture(scope="module")
def trained(data_directory, tmp_path_factory):
    """Where two processes have trained all the schemes, one after the other, and what masks they noted."""
    outputs, notes = (tmp_path_factory.mktemp(name) for name in ("outputs", "notes"))
    script = Path(__file__).with_name("two_processes.py")
    shared = [*small_overrides(data_directory, outputs), *ODD, "trainer.devices=2"]
    commands = [word for scheme in [*SCHEMES, SCHEMES[0]] for word in ("--", *shared, *scheme)]
    ran = python(*TWICE, script, notes, *commands)
    assert ran.stdout.count("Finished before") == 1
    assert not list(outputs.rglob(f"*{PARTIAL}"))
    return outputs, notes


@pytest.mark.parametrize("number", range(len(SCHEMES)), ids=lambda number: " ".join(SCHEMES[number]))
def test_the_same_masks_and_each_image_once(data_directory, trained, number):
    outputs, notes, scheme = *trained, SCHEMES[number]
    notes = notes / str(number)
    config = small(data_directory, outputs, *ODD, *scheme, "trainer.devices=2")
    chain = Chain(open_experiment(config))
    for epoch in range(2):
        for step, batch in enumerate(list(one_process(chain, epoch))[:3]):
            first, second = (torch.load(notes / f"{epoch}-{step}-{rank}.pt", weights_only=True) for rank in (0, 1))
            for maps in ("cluster_map", "image_maps"):
                assert torch.equal(first[maps], second[maps])
            assert (first["cluster_map"] >= 0).any()
            assert sorted([*first["index"].tolist(), *second["index"].tolist()]) == sorted(batch)
            assert len(first["index"]) == len(second["index"])

    run = chain.run.directory
    table = pq.read_table(run / "predictions" / "odd.parquet", filters=[("inference", "==", "original")]).to_pydict()
    for split, count in (("val", 13), ("test", TEST)):
        names = [name for name, of in zip(table["name"], table["split"], strict=True) if of == split]
        assert sorted(names) == sorted(chain.experiment.data.splits[split].names)
        assert len(names) == count

    # what chose the checkpoint is the accuracy over the whole of val, each image counted once
    summary = json.loads((run / "summary.json").read_text())
    logged = list((run / "logs" / "predictor").rglob("metrics.csv"))
    values = [line.split(",") for line in logged[-1].read_text().splitlines()]
    column = values[0].index("val/accuracy")
    best = max(float(row[column]) for row in values[1:] if row[column])
    if (
        "scheme/attention=own_gates" not in scheme
    ):  # its maps follow the weights, and those of val are of the epoch's start
        assert summary["val"]["accuracy"] == pytest.approx(best, abs=1e-5)
    assert best * 13 == pytest.approx(round(best * 13), abs=1e-3)
    assert summary["phases"]["predictor"]["images"] == 2 * 3 * BATCH


def one_process(chain, epoch):
    sampler = chain.run.data.sampler
    sampler.set_epoch(epoch)
    return iter(sampler)


def test_lightning_starts_the_second_process_and_a_job_that_fails_stops_neither(data_directory, tmp_path):
    """Phase 2 is the first one's alone: two pixels are too few for three clusters. The sweep goes on."""
    given = ["scheme=grey_value", "scheme.regions.top_share=0.001,0.5,1.0", "trainer.devices=2"]
    arguments = ("-m", "fer_perturb.train", "-m", *small_overrides(data_directory, tmp_path), *given)
    ran = python(*arguments, status=2)
    assert "MEMBER: 2/2" in ran.stdout + ran.stderr
    assert "cannot be clustered" in ran.stderr
    assert len([*tmp_path.rglob("summary.json")]) == 2
    assert ran.stdout.count("All of grey_value") == 2  # one of the processes reports
    assert "Warning" not in ran.stdout + ran.stderr


def test_lightning_gives_the_second_process_the_words_of_the_first(monkeypatch):
    """Those of a sweep as well, with their -m (Lightning #11300, #18175).

    What is built around that can go when this fails: a job has words of its own, without -m, and a process of its own;
    with launcher=basic the second process sweeps in step with the first.
    """
    monkeypatch.setattr(sys, "argv", ["train", "-m", "seed=0,1"])
    monkeypatch.setattr("hydra.utils.get_original_cwd", lambda: ".")
    monkeypatch.setattr(HydraConfig, "get", lambda: SimpleNamespace(run=SimpleNamespace(dir=".")))
    command, _ = _hydra_subprocess_cmd(local_rank=1)
    assert [word for word in command if word in ("-m", "seed=0,1")][-2:] == ["-m", "seed=0,1"]


def test_a_job_of_a_sweep_trains_with_two_processes(data_directory, tmp_path, monkeypatch):
    """Lightning gives the second one the words of the first, in which there is no -m: it does not sweep again.

    So it does in a job of Slurm's of one task, where it would take that task for the one process that there is.
    """
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_JOB_NAME", "sweep")
    given = [word for word in small_overrides(data_directory, tmp_path) if word != "launcher=basic"]
    ran = python("-m", "fer_perturb.train", "-m", *given, "scheme=baseline", "trainer.devices=2")
    assert ran.stdout.count("1/1 done ") == 1
    assert ran.stdout.count("All of baseline") == 1
    (log,) = tmp_path.rglob("job.log")
    assert "MEMBER: 2/2" in log.read_text()
    assert "Sweep of" not in log.read_text()


STEP = "fer_perturb.tasks.phases.predictor:Predictor.training_step"


def two(folder: Path, *words: str, held: int | None = None, at: int = 1) -> list[Forked]:
    """Two processes of one run, started as a cluster would; the one that is `held` stops at that step of phase 3."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    return [
        forked(
            "train",
            *words,
            "trainer.devices=2",
            folder=folder / str(rank),
            before=Hold(STEP, at) if rank == held else None,
            environment={**place, "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    ]


@pytest.fixture(scope="module")
def uninterrupted(data_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    folder = tmp_path_factory.mktemp("uninterrupted")
    started = two(folder, *small_overrides(data_directory, folder / "outputs"), "scheme=perturb")
    assert [one.status for one in started] == [0, 0], [one.err for one in started]
    return predictions(folder / "outputs")


def predictions(outputs: Path) -> pa.Table:
    (file,) = outputs.glob("synthetic/*/perturb/*/predictions/synthetic.parquet")
    return pq.read_table(file)


@pytest.mark.parametrize("killed", [0, 1])
def test_one_that_is_killed_ends_the_other_and_they_go_on(
    killed: int, data_directory: Path, tmp_path: Path, uninterrupted: pa.Table
) -> None:
    words = [*small_overrides(data_directory, tmp_path / "outputs"), "scheme=perturb"]
    started = two(tmp_path, *words, held=killed, at=5)
    assert started[killed].end(signal.SIGKILL) == -signal.SIGKILL
    assert started[1 - killed].status == 1
    assert f"Error: {APART}" in started[1 - killed].err
    assert "Traceback" not in started[1 - killed].err
    assert not list(tmp_path.glob("outputs/**/summary.json"))

    again = two(tmp_path, *words)
    assert [one.status for one in again] == [0, 0], [one.err for one in again]
    assert "Phase 1, attention classifier" in again[0].out
    assert "found again" in again[0].out
    assert predictions(tmp_path / "outputs").equals(uninterrupted)


def test_batches_are_divided():
    rows = np.arange(100)
    whole = ShuffledBatches(rows, 12, seed=3)
    parts = [ShuffledBatches(rows, 12, seed=3, process=process, processes=3) for process in range(3)]
    for sampler in (whole, *parts):
        sampler.set_epoch(5)
    for batch, *shares in zip(whole, *parts, strict=True):
        assert [len(share) for share in shares] == [4, 4, 4]
        assert sorted(np.concatenate(shares)) == sorted(batch)
    with pytest.raises(UserError, match=r"recipe.batch_size=10 with 3 processes: expected a multiple of 3"):
        ShuffledBatches(rows, 10, seed=3, processes=3)


def test_other_strategies_are_refused(data_directory, tmp_path):
    for strategy in ("ddp_spawn", "ddp_fork"):
        config = small(data_directory, tmp_path, "trainer.devices=2", f"trainer.strategy={strategy}")
        expected = rf"trainer.strategy={strategy} on 2 devices: expected ddp.*trainer=ddp trainer.devices=2"
        with pytest.raises(UserError, match=expected):
            Chain(open_experiment(config))
    config = small(data_directory, tmp_path, "trainer=ddp", "trainer.devices=2")
    Chain(open_experiment(config))
