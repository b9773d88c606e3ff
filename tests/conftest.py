"""What the tests share: drawn faces, prepared once, and configs composed by the real Hydra."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commanding import Commands
from composing import TEST, TRAIN, VAL

if "PYTEST_XDIST_WORKER" in os.environ:  # several at once: one thread each, which torch reads when it is imported
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A worker a core, as long as there are 3 GB of memory for each."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(memory / 3e9), 8))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for the packed faces trains on them, mostly: it is not for the fast lane."""
    for item in items:
        if "data_directory" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """What has been imported stays: collecting garbage after each phase of each chain need not go through it."""
    gc.freeze()


@pytest.fixture(scope="session")
def data_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packed datasets, with the small `synthetic` of composing.py in it."""
    from fer_perturb.data.packing import make
    from fer_perturb.data.readers.drawn_faces import DrawnFacesMaker

    root = tmp_path_factory.mktemp("data")
    make(root / "synthetic", DrawnFacesMaker(seed=0, train=TRAIN, val=VAL, test=TEST))
    return root


@pytest.fixture
def pictures() -> None:
    """Phases draw their pictures, which takes a fifth of a small chain's time."""


@pytest.fixture(autouse=True)
def _drawn_where_asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr("fer_perturb.report.phase_pictures.show_phase", lambda phase: None)


@pytest.fixture(autouse=True, scope="session")
def _no_power_fails() -> Iterator[None]:
    """Nothing waits for the disk: a chain writes some eighty files, and waits for each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        yield


@pytest.fixture
def commands(capsys: pytest.CaptureFixture[str]) -> Commands:
    """Calls entry points in this process."""
    return Commands(capsys)


@pytest.fixture
def no_faiss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """faiss-gpu is there, without the CUDA libraries that it needs."""
    from fer_perturb.faiss_here import faiss_here

    (tmp_path / "faiss.py").write_text("raise RuntimeError('nvidia-cuda-runtime-cu12 is missing')")
    monkeypatch.delitem(sys.modules, "faiss", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    faiss_here.cache_clear()
    yield
    faiss_here.cache_clear()
