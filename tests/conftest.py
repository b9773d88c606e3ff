"""What the tests share: drawn faces, prepared once, and configs composed by the real Hydra."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")


@pytest.fixture(scope="session")
def data_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packed datasets, with a small `synthetic` in it: 256 images to train on, 64 to test on."""
    from fer_perturb.data.prepare_dataset import prepare_synthetic

    root = tmp_path_factory.mktemp("data")
    prepare_synthetic(root / "synthetic", seed=0, n_train=256, n_val=64, n_test=64)
    return root
