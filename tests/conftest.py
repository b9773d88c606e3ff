"""What the tests share: drawn faces, prepared once, and configs composed by the real Hydra."""

import gc
import os
from pathlib import Path

import pytest
from commanding import Commands

if "PYTEST_XDIST_WORKER" in os.environ:  # several at once: one thread each, which torch reads when it is imported
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A worker a core, as long as there are 3 GB of memory for each."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(memory / 3e9), 8))


def pytest_collection_finish() -> None:
    """What has been imported stays: collecting garbage after each phase of each chain need not go through it."""
    gc.freeze()


@pytest.fixture(scope="session")
def data_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packed datasets, with a small `synthetic` in it: 256 images to train on, 64 to test on."""
    from fer_perturb.data.prepare_dataset import prepare_synthetic

    root = tmp_path_factory.mktemp("data")
    prepare_synthetic(root / "synthetic", seed=0, n_train=256, n_val=64, n_test=64)
    return root


@pytest.fixture
def pictures() -> None:
    """Phases draw their pictures, which takes a fifth of a small chain's time."""


@pytest.fixture(autouse=True)
def _drawn_where_asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr("fer_perturb.report.phase_pictures.show_phase", lambda phase: None)


@pytest.fixture
def commands(capsys: pytest.CaptureFixture[str]) -> Commands:
    """Calls entry points in this process."""
    return Commands(capsys)
