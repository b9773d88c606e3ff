"""Three runs on drawn faces, trained once, and pictures to judge."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from composing import small
from trained_once import SCHEMES

from fer_perturb.data.packed import load_packed
from fer_perturb.train import train


@pytest.fixture(scope="package")
def runs(data_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By the names of SCHEMES; the data that they were trained on are gone."""
    place = tmp_path_factory.mktemp("gone")
    shutil.copytree(data_directory / "synthetic", place / "data" / "synthetic")
    found = {
        name: train(small(place / "data", place / "outputs", "recipe.epochs=1", *words))[0]
        for name, words in SCHEMES.items()
    }
    shutil.rmtree(place / "data")
    return found


@pytest.fixture(scope="package")
def images(data_directory: Path) -> np.ndarray:
    """uint8 (N, 48, 48): the test split."""
    return np.array(load_packed(data_directory / "synthetic").splits["test"].images)
