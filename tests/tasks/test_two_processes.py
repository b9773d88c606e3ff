"""Two processes on the CPU (gloo) train one run together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from composing import BATCH, TEST, small, small_overrides

from fer_perturb.data.loading.batches import ShuffledBatches
from fer_perturb.errors import UserError
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.files import PARTIAL
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
        with pytest.raises(
            UserError, match=r"trainer.strategy=DDPStrategy on 2 devices: expected ddp.*trainer=ddp trainer.devices=2"
        ):
            Chain(open_experiment(config))
    config = small(data_directory, tmp_path, "trainer=ddp", "trainer.devices=2")
    Chain(open_experiment(config))
