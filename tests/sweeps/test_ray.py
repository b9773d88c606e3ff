"""A cluster of Ray's on this machine, with two nodes, one of which is killed."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from commanding import Commands
from composing import small_overrides
from faulty import write_faults
from forking import PATIENCE

from fer_perturb.locks import is_held
from fer_perturb.sweeps.status import standings
from fer_perturb.sweeps.submitted import KEEPER, Submitted, all_submitted

pytest.importorskip("ray", reason="needs fer_perturb[ray]")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LITTLE = {"object_store_memory": 80 * 2**20}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Two nodes of one core each, and a head with none."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **LITTLE})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, **LITTLE)
        yield cluster
    finally:
        cluster.shutdown()


def until(there: Any, sweep: Submitted) -> None:
    deadline = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < deadline, standings(sweep)
        time.sleep(0.1)


def test_a_job_whose_node_is_killed_goes_on_on_another(
    cluster: Any, commands: Commands, data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    write_faults(tmp_path, "hang")
    given = [word for word in small_overrides(data_directory, Path("outputs")) if word != "launcher=basic"]
    engine = ("engine=ray", f"engine.address={cluster.address}")
    shown = commands("submit", "--config-dir=conf", *given, "callbacks=fault", "scheme=baseline", "seed=0,1", *engine)
    assert shown.status == 0, shown
    assert "as many at a time as Ray finds room for, 1 core each." in shown.out
    (sweep,) = all_submitted(Path("outputs"))
    until(lambda: Path("seed0.pid").exists(), sweep)
    first = sweep.state_of(sweep.jobs[0])["pid"]

    Path("seed0").unlink()  # it hangs no more
    raylet = int(subprocess.run(["ps", "-o", "ppid=", "-p", str(first)], capture_output=True, text=True).stdout)
    (node,) = [node for node in cluster.worker_nodes if node.all_processes["raylet"][0].process.pid == raylet]
    cluster.remove_node(node, allow_graceful=False)
    with suppress(ProcessLookupError):
        os.kill(first, signal.SIGKILL)
    until(lambda: all(sweep.state_of(job)["state"] == "done" for job in sweep.jobs), sweep)
    until(lambda: not is_held(sweep.folder / KEEPER), sweep)
    noted = sweep.state_of(sweep.jobs[0])
    assert (noted["attempts"], noted["pid"] != first) == (2, True)
    (run,) = Path("outputs").glob("synthetic/*/baseline/seed0-*/summary.json")
    assert run.with_name("logs").joinpath("predictor", "version_1").is_dir()  # it went on


def test_without_a_cluster_one_is_told(
    commands: Commands, data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [word for word in small_overrides(data_directory, tmp_path) if word != "launcher=basic"]
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "none"))
    told = commands("submit", *given, "scheme=baseline", "engine=ray").sentence
    assert told.startswith("engine.address=auto: there is no cluster of Ray's")
