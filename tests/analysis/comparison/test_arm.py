"""Arms read from the folders of runs."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from generated_runs import generated_runs

from fer_perturb.analysis import collect
from fer_perturb.analysis.comparison import Contrast, compare, read_arm
from fer_perturb.analysis.metrics import measured
from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.errors import UserError


def predict(run: Path) -> None:
    """Predictions of 70 images, of both readings: the views are right on all, the image alone on six of seven."""
    dataset, tta = (json.loads((run / "summary.json").read_bytes())[key] for key in ("dataset", "tta"))
    labels = np.arange(70) % 7
    tables = []
    for inference, answers in (("original", np.where(labels == 0, 1, labels)), ("views", labels)):
        logits = np.eye(7, dtype=np.float32)[answers]
        names = [f"row{k}" for k in range(70)]
        rows = {"split": "test", "dataset": dataset, "inference": inference, "tta": tta, "view": np.int8(-1)}
        columns = {key: [value] * 70 for key, value in rows.items()} | {"name": names, "sha256": names}
        columns |= {"label": labels.astype(np.int8)}
        columns |= {f"logit_{name}": logits[:, place] for place, name in enumerate(EMOTIONS)}
        tables.append(pa.table(columns))
    (run / "predictions").mkdir()
    pq.write_table(pa.concat_tables(tables), run / "predictions" / f"{dataset}.parquet")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three seeds of each scheme, as collect finds them."""
    outputs = tmp_path_factory.mktemp("outputs")
    for run in generated_runs(outputs, [["scheme=perturb"], ["scheme=baseline"]], range(3)):
        predict(run)
    return [[*map(Path, collect(outputs, where=f"scheme={name}")["run"])] for name in ("perturb", "baseline")]


def test_readings_and_budgets(runs):
    perturb, baseline = read_arm(runs[0], "views"), read_arm(runs[1], "original")
    assert (perturb.name, baseline.name) == ("perturb", "baseline")
    assert [*perturb.predicted] == [0, 1, 2]
    assert perturb.over_seeds(lambda of: measured(of)["accuracy"]).mean == 1.0
    assert (perturb.spent.epochs, perturb.spent.passes) == (20, 1000)
    assert perturb.spent.flops == 3 * baseline.spent.flops  # of all three phases
    assert Contrast.of(perturb, baseline).equal == ("epochs", "passes")
    found = compare(perturb, baseline)
    assert found.contrast.readings == ("views", "original")
    assert found.balanced_accuracy.mean == pytest.approx(1 / 7)
    assert compare(read_arm(runs[0], "original"), baseline).accuracy.mean == 0


def test_runs_that_are_no_arm(runs, tmp_path):
    perturb, baseline = runs
    with pytest.raises(UserError, match="differ in scheme"):
        read_arm([perturb[0], baseline[1]], "original")
    with pytest.raises(UserError, match="none was given"):
        read_arm([], "original")
    with pytest.raises(UserError, match=r"maskfer.parquet has no test predictions of inference=original"):
        read_arm(perturb, "original", on="maskfer")
    [shorter] = generated_runs(tmp_path, [["scheme=perturb", "recipe.epochs=3"]], [1])
    with pytest.raises(UserError, match="have one seed, so they differ in a setting"):
        read_arm([*perturb, shorter], "original")
    with pytest.raises(UserError, match=r"summary.json is damaged"):
        read_arm([tmp_path], "original")
