"""The chain on data that it was not made for, and tests on data that it was not trained on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from composing import DRAWING, composed, small, small_overrides
from safetensors.torch import load_file
from tiny_dataset import CLASSES, SIZE, TEST, TRAIN, TWINS, VAL, write_tiny

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.data.packed import RawSplit, load_packed, write_packed
from fer_perturb.data.prepare_dataset import prepare_synthetic
from fer_perturb.errors import UserError
from fer_perturb.evaluate import evaluate
from fer_perturb.files import write_json
from fer_perturb.train import train


def accuracy(rows: list[dict], classes: tuple[str, ...]) -> float:
    logits = np.array([[row[f"logit_{name}"] for name in classes] for row in rows])
    return float((logits.argmax(axis=1) == [row["label"] for row in rows]).mean())


def test_tested_on_other_datasets(data_directory: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "synthetic").symlink_to(data_directory / "synthetic")
    prepare_synthetic(data / "other", seed=1, n_train=8, n_val=16, n_test=40)
    own = load_packed(data / "synthetic")
    splits = {name: RawSplit(split.images, split.labels, split.names) for name, split in own.splits.items()}
    splits["test"], splits["train"] = splits["train"], splits["test"]
    write_packed(data / "swapped", "swapped", EMOTIONS, splits, {})

    run, summary = train(small(data, tmp_path / "outputs", "test_on=[other,swapped]", "recipe.tta=flip"))
    assert set(summary["test_on"]) == {"other", "swapped"}
    assert {path.stem for path in (run / "predictions").iterdir()} == {"synthetic", "other", "swapped"}

    tables = {name: pq.read_table(run / "predictions" / f"{name}.parquet").to_pylist() for name in summary["test_on"]}
    tables["synthetic"] = pq.read_table(run / "predictions" / "synthetic.parquet").to_pylist()
    other = load_packed(data / "other")
    assert {row["dataset"] for row in tables["other"]} == {"other"}
    kinds = ("split", "inference", "tta", "view")
    assert {tuple(row[key] for key in kinds) for row in tables["other"]} == {
        tuple(row[key] for key in kinds) for row in tables["synthetic"]
    }
    judged = [
        row
        for row in tables["other"]
        if [row[key] for key in kinds] == ["test", "views", "flip", -1]  # as scheme.inference and recipe.tta say
    ]
    assert [row["name"] for row in judged] == other.splits["test"].names
    assert [row["label"] for row in judged] == other.splits["test"].labels.tolist()
    assert [row["sha256"].encode() for row in judged] == other.splits["test"].identities().tolist()
    assert summary["test_on"]["other"]["accuracy"] == pytest.approx(accuracy(judged, EMOTIONS))
    supports = [entry["support"] for entry in summary["test_on"]["other"]["per_class"].values()]
    assert supports == np.bincount(other.splits["test"].labels, minlength=7).tolist()
    assert summary["test_on"]["other"]["accuracy_no_twins"] == summary["test_on"]["other"]["accuracy"]

    # what stands in both datasets, in the same order, gets the same logits in both: val
    def val(name: str) -> np.ndarray:
        return np.array([[row[f"logit_{e}"] for e in EMOTIONS] for row in tables[name] if row["split"] == "val"])

    assert val("synthetic").std(axis=0).min() > 0
    np.testing.assert_allclose(val("swapped"), val("synthetic"), atol=1e-5)
    # and a test set that was trained on has nothing but twins
    assert summary["test_on"]["swapped"]["accuracy_no_twins"] is None
    assert sum(entry["support"] for entry in summary["test_on"]["swapped"]["per_class"].values()) == 256


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides for a chain on the tiny dataset: six epochs of six batches of 16 at most."""
    data, outputs = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("outputs")
    write_tiny(data / "tiny")
    others = [o for o in small_overrides(data, outputs) if not o.startswith(("dataset", "trainer.limit"))]
    return [*others, "dataset=folder", "dataset.name=tiny", "recipe.epochs=6", "recipe.batch_size=16"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["scheme=baseline"],
        ["scheme=baseline", "dataset.clean=true"],
        ["scheme=perturb", "scheme.scope=batch", "scheme.fill=mean"],
        ["scheme=perturb", "scheme.scope=dataset", "scheme.fill=mean", "recipe.crop=32", "recipe.tta=ten"],
    ],
    ids=" ".join,
)
def test_three_classes_of_another_size(overrides: list[str], places: list[str]) -> None:
    config = composed(*places, *overrides)
    run, summary = train(config)
    assert run.parts[-4:-1] == ("tiny", "resnet_tiny", config.scheme.name)
    rows = pq.read_table(run / "predictions" / "tiny.parquet").to_pylist()
    assert [key for key in rows[0] if key.startswith("logit_")] == [f"logit_{name}" for name in CLASSES]
    wanted = (config.scheme.inference, config.recipe.tta, -1)
    judged = [row for row in rows if (row["inference"], row["tta"], row["view"]) == wanted]
    val, test = ([row for row in judged if row["split"] == split] for split in ("val", "test"))
    assert (len(val), len(test)) == (VAL, TEST)

    # brightness is soon learned, and the twins of training images bear wrong labels
    assert summary["val"]["accuracy"] == pytest.approx(accuracy(val, CLASSES))
    assert summary["val"]["accuracy"] > 0.8
    train_split = load_packed(Path(config.paths.data, "tiny")).splits["train"]
    trained = {identity.decode() for identity in train_split.identities()}
    alone = [row for row in test if row["sha256"] not in trained]
    assert len(alone) == TEST - TWINS
    assert summary["test"]["accuracy"] == pytest.approx(accuracy(test, CLASSES))
    assert summary["test"]["accuracy_no_twins"] == pytest.approx(accuracy(alone, CLASSES))
    assert summary["test"]["accuracy_no_twins"] > summary["test"]["accuracy"] + 0.1
    assert list(summary["test"]["per_class"]) == list(CLASSES)
    supports = [entry["support"] for entry in summary["test"]["per_class"].values()]
    assert supports == [sum(row["label"] == k for row in test) for k in range(3)]

    kept = TRAIN - TWINS if config.dataset.clean else TRAIN
    assert summary["phases"]["predictor"]["images"] == 6 * (kept // 16) * 16
    if config.scheme.n_clusters:
        weights = load_file(run / "predictor" / "weights.safetensors")
        assert weights["cluster_map"].shape == SIZE  # the data set's map too, which is cropped with the images
        assert weights["cluster_map"].unique().tolist() == [0, 1, 2]
        assert np.load(run / "clustering" / "attention.npy").shape == SIZE
        assert torch.isfinite(weights["centres"]).all()


def test_trained_and_tested_with_parts_hidden(data_directory: Path, tmp_path: Path) -> None:
    """A run on occluded faces is a run of its own, and any run can be tested on them."""
    given = ("scheme=baseline", "recipe.epochs=1")
    both = "test_on=[synthetic+mouth,synthetic+eyes@0.50-blur]"
    plain, tested = train(small(data_directory, tmp_path, *given, both))
    assert {path.stem for path in (plain / "predictions").iterdir()} == {
        "synthetic", "synthetic+mouth@1", "synthetic+eyes@0.5-blur"
    }  # fmt: skip
    assert tested["test_on"].keys() == {"synthetic+mouth@1", "synthetic+eyes@0.5-blur"}
    whole, hidden = (
        pq.read_table(plain / "predictions" / f"{name}.parquet") for name in ("synthetic", "synthetic+mouth@1")
    )
    assert whole["sha256"].equals(hidden["sha256"])  # paired by the picture without its occluder
    assert not np.allclose(whole["logit_happy"].to_numpy(), hidden["logit_happy"].to_numpy(), atol=1e-3)

    occluded, summary = train(small(data_directory, tmp_path, *given, "dataset.occluder=mouth"))
    assert occluded.parent == plain.parent
    assert occluded != plain
    assert summary["dataset"] == "synthetic+mouth@1"
    assert [path.stem for path in (occluded / "predictions").iterdir()] == ["synthetic+mouth@1"]
    half = small(data_directory, tmp_path, *given, "dataset.occluder=[mouth,eyes]", "dataset.coverage=0.5")
    assert train(half)[1]["dataset"] == "synthetic+mouth@0.5+eyes@0.5"
    keys = {run["phases"]["predictor"]["key"] for run in (tested, summary)}
    assert len(keys) == 2

    with evaluating(data_directory, f"run={occluded}", "dataset=synthetic", *DRAWING) as file:
        assert file.name == "synthetic.parquet"
    with evaluating(
        data_directory, f"run={plain}", "dataset=synthetic", *DRAWING, "dataset.occluder=mouth", "dataset.coverage=1"
    ) as file:
        assert pq.read_table(file).equals(hidden)


def test_predictions_on_data_that_have_changed_are_made_again(data_directory: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "synthetic").symlink_to(data_directory / "synthetic")
    prepare_synthetic(data / "other", seed=1, n_train=8, n_val=16, n_test=40)
    given = ("scheme=baseline", "recipe.epochs=1", "test_on=[other]")
    run, first = train(small(data, tmp_path / "outputs", *given))
    prepare_synthetic(data / "other", seed=2, n_train=8, n_val=16, n_test=30)
    again, second = train(small(data, tmp_path / "outputs", *given))
    assert again == run
    assert second["phases"]["predictor"]["cached"]
    supports = [sum(of["support"] for of in s["test_on"]["other"]["per_class"].values()) for s in (first, second)]
    assert supports == [40, 30]

    older = {key: value for key, value in second.items() if key != "tested_on"}  # as it was written before
    write_json(run / "summary.json", older)
    _, third = train(small(data, tmp_path / "outputs", *given))
    assert third == second


@contextmanager
def evaluating(data: Path, *overrides: str) -> Iterator[Path]:
    given = ("trainer.accelerator=cpu", "trainer.enable_progress_bar=false", f"paths.data={data}")
    yield evaluate(composed(*given, *overrides, name="evaluate"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["dataset.occluder=ears"], "dataset.occluder=ears"),
        (["dataset.occluder=mouth", "dataset.coverage=1.2"], "dataset.coverage=1.2"),
        (["test_on=[synthetic+chin@1]"], "chin"),
    ],
)
def test_an_occluder_that_cannot_be_is_said(data_directory: Path, tmp_path: Path, given: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        train(small(data_directory, tmp_path, *given))
