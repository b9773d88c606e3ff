"""Tables of grids, from fabricated runs."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fer_perturb.files import write_text
from fer_perturb.report.experiment_tables import write_tables
from fer_perturb.report.settings import Run


def fabricated(root: Path, model: str, scheme: str, seed: int, accuracy: float, **keys: Any) -> Run:
    directory = root / "-".join(map(str, (model, scheme, seed, *keys.values())))
    config = {
        "dataset": {"name": "fer2013", "clean": False}, "model": {"backbone": model}, "budget": "epochs", "seed": seed,
        "scheme": {"name": scheme, "regions": keys}, "trainer": {"devices": 1},
        "attention_model": {"backbone": model, "attention": {"at": ["stage1"]}},
        "recipe": {"name": "demo", "epochs": 2}, "test_on": [],
    }  # fmt: skip
    write_text(directory / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(config)))
    per_class = {"sad": {"accuracy": accuracy / 2}, "fear": {"accuracy": None}}
    test = {"accuracy": accuracy, "balanced_accuracy": accuracy - 0.1, "f1_macro": accuracy, "per_class": per_class}
    return directory, {
        "dataset": "fer2013", "scheme": scheme, "seed": seed, "model": model, "val": {"accuracy": accuracy},
        "test": test, "test_original": test, "test_views": None,
    }  # fmt: skip


def rows(file: Path) -> list[list[str]]:
    lines = [line for line in file.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|---")]


def test_a_row_a_setting(tmp_path: Path) -> None:
    runs = [
        fabricated(tmp_path, "a", "baseline", 0, 0.6),
        fabricated(tmp_path, "a", "perturb", 0, 0.7, n_clusters=2),
        fabricated(tmp_path, "a", "perturb", 1, 0.8, n_clusters=2),
        fabricated(tmp_path, "a", "perturb", 0, 0.5, n_clusters=3),
    ]
    (file,) = write_tables("grid", runs, tmp_path)
    _, baseline, two, three = rows(file)
    assert baseline == ["`baseline`", "0", "60.0", "60.0", "50.0", "60.0", "-", ""]
    assert two == [
        "`perturb, regions.n_clusters=2`",
        "0, 1",
        *["75.0 ± 7.1"] * 2,
        "65.0 ± 7.1",
        "75.0 ± 7.1",
        "-",
        "+15.0",
    ]
    assert three[0] == "`perturb, regions.n_clusters=3`"
    assert three[-1] == "-10.0"
    assert file.with_suffix(".png").stat().st_size > 10_000
    assert write_tables("grid", runs[1:3], tmp_path) == {}


def test_a_row_a_network(tmp_path: Path) -> None:
    runs = [
        fabricated(tmp_path, model, scheme, seed, accuracy)
        for model, scheme, seed, accuracy in (
            ("a", "baseline", 0, 0.6), ("a", "perturb", 0, 0.5), ("b", "baseline", 0, 0.4), ("b", "perturb", 0, 0.7),
            ("b", "perturb", 1, 0.9), ("c", "perturb", 0, 0.9),
        )
    ]  # fmt: skip
    (file,) = write_tables("table2", runs, tmp_path)
    _, a, b, emotions, sad, fear = rows(file)
    assert a == ["a", "0", "50.0", "40.0", "-10.0", "0.600", "0.500"]
    assert b == ["b", "0, 1", "30.0", "70.0 ± 14.1", "+40.0", "0.400", "0.800"]
    assert emotions == ["", "a", "b"]
    assert sad == ["sad", "-5.0", "+20.0"]
    assert fear == ["fear", "-", "-"]
    assert write_tables("table2", runs[:1], tmp_path) == {}
