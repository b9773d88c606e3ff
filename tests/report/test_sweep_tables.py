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
    """Between the paper's own; what nobody has run says by which command it would be."""
    runs = [
        fabricated(tmp_path, model, scheme, seed, accuracy)
        for model, scheme, seed, accuracy in (
            ("a", "baseline", 0, 0.6), ("a", "perturb", 0, 0.5), ("dpn_small", "baseline", 0, 0.4),
            ("dpn_small", "baseline", 1, 0.5), ("dpn_small", "perturb", 0, 0.7), ("dpn_small", "perturb", 1, 0.9),
            ("c", "perturb", 0, 0.9),
        )
    ]  # fmt: skip
    (file,) = write_tables("table2", runs, tmp_path)
    found = rows(file)
    second = found.index(["network", "data and recipe", "seeds", "sad", "fear"])
    table2, table3 = found[1:second], found[second + 1 :]
    assert table2[-1] == ["a", "fer2013, recipe demo", "0", "50.0", "40.0", "-10.0", "0.600", "0.500"]
    printed, ours = (row for row in table2 if row[0] in ("DPN", "dpn_small"))
    assert printed == ["DPN", "the paper", "", "71.2", "71.9", "+0.7", "0.68", "0.69"]
    assert ours[2:5] == ["0, 1", "35.0 ± 7.1", "70.0 ± 14.1"]
    assert ours[5] == "+35.0 [-28.5, +98.5]"  # over two seeds, as there are no predictions: 30 and 40 points
    assert ["VGG16", "here", "", *["not run"] * 5] in table2
    assert ["DPN", "here"] not in [row[:2] for row in table2]
    assert (
        'not run: `make table2 ARGS="scale=paper model=densenet,resmasking,resnet,vgg16,ensemble"`' in file.read_text()
    )
    assert [row[:3] for row in table3 if row[0] not in ("a", "dpn_small")][1] == ["DPN", "the paper", ""]
    assert table3[-1] == ["a", "fer2013, recipe demo", "0", "-5.0", "-"]
    assert write_tables("table2", runs[:1], tmp_path) == {}
