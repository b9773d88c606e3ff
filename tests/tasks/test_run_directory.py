"""Keys that came later rename no run, and part no table: all earlier ones had the value that they have by default."""

from pathlib import Path

import pytest
from composing import composed
from omegaconf import DictConfig, OmegaConf

from fer_perturb.report.settings import settings
from fer_perturb.runs.run_directory import config_hash

YOUNGER = [
    ("dataset=fer2013", "dataset.labels", "ferplus"),
    ("dataset=synthetic", "dataset.drawing.strength", "[0.5,1.25]"),
    ("dataset=planted", "dataset.drawing.strength", "[0.5,1.25]"),
]


def without(config: DictConfig, key: str) -> DictConfig:
    """As it was composed before there was the key."""
    before = OmegaConf.create(OmegaConf.to_container(config))
    group, _, name = key.rpartition(".")
    del OmegaConf.select(before, group)[name]
    return before


@pytest.mark.parametrize(("dataset", "key", "other"), YOUNGER)
def test_a_younger_key_renames_no_run(dataset: str, key: str, other: str) -> None:
    now, otherwise = composed(dataset), composed(dataset, f"{key}={other}")
    assert config_hash(now) == config_hash(without(now, key)) != config_hash(otherwise)


@pytest.mark.parametrize(("dataset", "key", "other"), YOUNGER)
def test_runs_of_before_and_after_stand_in_one_table(tmp_path: Path, dataset: str, key: str, other: str) -> None:
    now = composed(dataset)
    runs = []
    for name, config in (("now", now), ("before", without(now, key)), ("other", composed(dataset, f"{key}={other}"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(OmegaConf.to_yaml(config, resolve=True))
        runs.append((tmp_path / name, {"seed": 0}))
    assert [[run.name for run, _ in group] for group in settings(runs)] == [["now", "before"], ["other"]]


def test_a_run_on_a_folder_is_named_as_before_it_could_be_split() -> None:
    """How data got their splits shows in their arrays, and is no key of training."""
    assert composed("dataset=folder").dataset.keys() == {
        "name", "kind", "resize", "clean", "unplaced", "occluder", "coverage", "fill",
    }  # fmt: skip
    assert {"val_share", "split", "group", "split_seed"} < composed("dataset=folder", name="prepare").dataset.keys()
    assert "val_share" not in composed("dataset=fer2013", name="prepare").dataset
