"""The chain on data that it was not made for, and tests on data that it was not trained on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from composing import DRAWING, composed, small, small_overrides
from omegaconf import DictConfig
from safetensors.torch import load_file
from small_fer2013 import pictures, write_csv, write_fer2013_csv
from tiny_dataset import CLASSES, SIZE, TEST, TRAIN, TWINS, VAL, write_tiny

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.data.ferplus.labels import plurality
from fer_perturb.data.ferplus.votes import COLUMNS
from fer_perturb.data.packed import PackedData, RawSplit, load_packed, write_packed
from fer_perturb.data.packing import make, pack
from fer_perturb.data.readers.drawn_faces import DrawnFacesMaker
from fer_perturb.data.readers.fer2013.reader import Fer2013Reader
from fer_perturb.errors import UserError
from fer_perturb.evaluate import evaluate
from fer_perturb.experiment.other_datasets import matched
from fer_perturb.files import write_json
from fer_perturb.train import train

pytestmark = pytest.mark.slow


def accuracy(rows: list[dict], classes: tuple[str, ...]) -> float:
    logits = np.array([[row[f"logit_{name}"] for name in classes] for row in rows])
    return float((logits.argmax(axis=1) == [row["label"] for row in rows]).mean())


def test_tested_on_other_datasets(data_directory: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "synthetic").symlink_to(data_directory / "synthetic")
    make(data / "other", DrawnFacesMaker(seed=1, train=8, val=16, test=40))
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
    tested = sum(entry["support"] for entry in summary["test_on"]["swapped"]["per_class"].values())
    assert tested == len(own.splits["train"].labels)


def renamed(own: PackedData, root: Path, classes: Sequence[str], *, without: Sequence[str] = ()) -> PackedData:
    """`own` at `root`, its labels those of `classes`, without the images of the classes that these lack."""
    splits = {}
    for name, split in own.splits.items():
        kept = [row for row, label in enumerate(split.labels) if own.classes[label] not in without]
        labels = [classes.index(own.classes[split.labels[row]]) for row in kept]
        splits[name] = RawSplit(split.images[kept], np.array(labels, np.uint8), [split.names[row] for row in kept])
    return write_packed(root, root.name, classes, splits, {"form": "folder"})


def test_classes_are_matched_by_name(data_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "synthetic").symlink_to(data_directory / "synthetic")
    own = load_packed(data / "synthetic")
    renamed(own, data / "alphabetical", sorted(EMOTIONS))
    renamed(own, data / "six", sorted(EMOTIONS[:6]), without=["neutral"])
    given = ("scheme=baseline", "recipe.epochs=1", "test_on=[alphabetical,six]")
    run, summary = train(small(data, tmp_path / "outputs", *given))
    assert "test_on=six: it has no neutral; where the network says so it counts as wrong" in " ".join(
        capsys.readouterr().out.split()
    )
    names = ("synthetic", "alphabetical", "six")
    tables = {name: pq.read_table(run / "predictions" / f"{name}.parquet") for name in names}
    logits = [f"logit_{emotion}" for emotion in EMOTIONS]
    for table in tables.values():
        assert [name for name in table.column_names if name.startswith("logit_")] == logits
    assert tables["alphabetical"]["label"].equals(tables["synthetic"]["label"])
    assert summary["test_on"]["alphabetical"] == summary["test"]

    def judged(name: str) -> list[dict]:
        wanted = ("test", summary["inference"], summary["tta"])
        return [row for row in tables[name].to_pylist() if (row["split"], row["inference"], row["tta"]) == wanted]

    others = judged("six")
    whole = [row for row in judged("synthetic") if row["label"] != EMOTIONS.index("neutral")]
    assert [(row["name"], row["label"]) for row in others] == [(row["name"], row["label"]) for row in whole]
    six = summary["test_on"]["six"]
    assert six["accuracy"] == pytest.approx(accuracy(others, EMOTIONS))  # over all seven answers
    assert six["per_class"]["neutral"] == {"accuracy": None, "f1": None, "support": 0}
    there = [of["accuracy"] for of in six["per_class"].values() if of["support"]]
    assert six["balanced_accuracy"] == pytest.approx(np.mean(there))

    with evaluating(data, f"run={run}", "dataset=folder", "dataset.name=alphabetical") as file:
        assert pq.read_table(file).equals(tables["alphabetical"])


def test_matched_data_stay_what_they_are(data_directory: Path, tmp_path: Path) -> None:
    """So that a summary tells data whose labels mean something else from those that it was tested on."""
    own = load_packed(data_directory / "synthetic")
    other = renamed(own, tmp_path / "alphabetical", sorted(EMOTIONS))
    found = matched(other, own, "test_on=alphabetical")
    assert found.classes == own.classes
    assert found.identity == other.identity
    assert matched(own, own, "") is own
    images = {
        image.tobytes(): label
        for image, label in zip(own.splits["test"].images, own.splits["test"].labels, strict=True)
    }
    labels = [images[image.tobytes()] for image in found.splits["test"].images]
    assert found.splits["test"].labels.tolist() == labels


def test_classes_that_the_network_does_not_know(data_directory: Path, tmp_path: Path) -> None:
    own = load_packed(data_directory / "synthetic")
    more = renamed(own, tmp_path / "more", [*sorted(EMOTIONS), "contempt"])
    with pytest.raises(UserError, match=r"^test_on=more: it has the class contempt, which .* does not know; .*neutral"):
        matched(more, own, "test_on=more")
    tiny = write_tiny(tmp_path / "tiny")
    with pytest.raises(UserError, match="images have 40x56 pixels; expected 48x48"):
        matched(tiny, own, "test_on=tiny")


@pytest.fixture(scope="module")
def fer2013(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small FER2013 with votes: mostly for its label, some for contempt, some undecided."""
    root = tmp_path_factory.mktemp("data")
    content = pictures((6, 3, 4))
    source = write_fer2013_csv(root / "fer2013.csv", content)
    columns = [*COLUMNS]
    rows = []
    for number, one in enumerate(content):
        says = {"angry": "anger", "happy": "happiness", "sad": "sadness"}.get(one.emotion, one.emotion)
        voters = {says: 10} if number % 5 else {"contempt": 10} if number % 2 else {"neutral": 5, "fear": 5}
        rows.append([one.usage, "", *(str(voters.get(column, 0)) for column in columns)])
    votes = write_csv(root / "fer2013new.csv", ["Usage", "Image name", *columns], rows)
    pack(source, root / "fer2013", Fer2013Reader(votes=votes))
    return root


def on_fer2013(data: Path, outputs: Path, *overrides: str) -> DictConfig:
    others = [o for o in small_overrides(data, outputs) if not o.startswith(("dataset", "trainer.limit"))]
    return composed(
        *others, "dataset=fer2013", "scheme=baseline", "recipe.epochs=1", "recipe.batch_size=16", *overrides
    )


def test_a_run_is_judged_by_votes(fer2013: Path, tmp_path: Path) -> None:
    run, summary = train(on_fer2013(fer2013, tmp_path))
    data = load_packed(fer2013 / "fer2013")
    rows = pq.read_table(run / "predictions" / "fer2013.parquet").to_pylist()
    for split in ("val", "test"):
        of = [row for row in rows if (row["split"], row["tta"]) == (split, summary["tta"])]
        chosen = plurality(data.splits[split].votes)
        assert 7 in chosen  # contempt, which the network does not know: left out
        assert -1 in chosen
        decided = [{**row, "label": label} for row, label in zip(of, chosen, strict=True) if 0 <= label < 7]
        assert summary["ferplus"][split]["n"] == len(decided)
        assert summary["ferplus"][split]["accuracy"] == pytest.approx(accuracy(decided, EMOTIONS))
        each = [
            accuracy([row for row in decided if row["label"] == k], EMOTIONS) for k in {r["label"] for r in decided}
        ]
        assert summary["ferplus"][split]["balanced_accuracy"] == pytest.approx(np.mean(each))
    older = {key: value for key, value in summary.items() if key not in ("ferplus", "checksum")}  # of before the votes
    write_json(run / "summary.json", older)
    again, mended = train(on_fer2013(fer2013, tmp_path))
    assert again == run
    assert mended["phases"]["predictor"]["cached"]
    assert mended["ferplus"] == summary["ferplus"]


def test_trained_on_votes(fer2013: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, of_seven = train(on_fer2013(fer2013, tmp_path))
    run, summary = train(on_fer2013(fer2013, tmp_path, "dataset.labels=ferplus", "test_on=[fer2013]"))
    assert run.parent == own.parent
    assert run != own
    assert summary["dataset"] == "fer2013@ferplus"
    keys = {found["phases"]["predictor"]["key"] for found in (summary, of_seven)}
    assert len(keys) == 2
    assert list(summary["test"]["per_class"]) == [*EMOTIONS, "contempt"]
    assert summary["test"]["per_class"]["contempt"]["support"] > 0
    voted = summary["ferplus"]["test"]
    assert voted["accuracy"] == summary["test"]["accuracy"]
    assert voted["n"] == sum(of["support"] for of in summary["test"]["per_class"].values())
    assert summary["test_on"]["fer2013"]["per_class"]["contempt"]["support"] == 0

    # a network of seven classes is not tested on eight, and one of eight is on seven
    assert "test_on=fer2013: it has no contempt" in " ".join(capsys.readouterr().out.split())
    with (
        pytest.raises(UserError, match="it has the class contempt, which the network does not know"),
        evaluating(fer2013, f"run={own}", "dataset=fer2013", "dataset.labels=ferplus"),
    ):
        pass
    before = (run / "predictions" / "fer2013.parquet").read_bytes()
    with evaluating(fer2013, f"run={run}", "dataset=fer2013") as file:
        assert (file.name, file.read_bytes()) == ("fer2013+again.parquet", before)
    with evaluating(fer2013, f"run={run}") as file:
        assert file.name == "fer2013@ferplus+again.parquet"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides for a chain on the tiny dataset: three epochs of twelve batches of 8 at most."""
    data, outputs = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("outputs")
    write_tiny(data / "tiny")
    others = [o for o in small_overrides(data, outputs) if not o.startswith(("dataset", "trainer.limit"))]
    return [*others, "dataset=folder", "dataset.name=tiny", "recipe.epochs=3", "recipe.batch_size=8"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["scheme=baseline"],
        ["scheme=baseline", "dataset.clean=true"],
        ["scheme=perturb", "scheme/regions=batch", "scheme.views.fill=mean"],
        ["scheme=perturb", "scheme/regions=dataset", "scheme.views.fill=mean", "recipe.crop=32", "recipe.tta=ten"],
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
    assert summary["phases"]["predictor"]["images"] == 3 * (kept // 8) * 8
    if config.scheme.regions:
        weights = load_file(run / "predictor" / "weights.safetensors")
        assert (
            weights["region_state.cluster_map"].shape == SIZE
        )  # the data set's map too, which is cropped with the images
        assert weights["region_state.cluster_map"].unique().tolist() == [0, 1, 2]
        assert np.load(run / "clustering" / "attention.npy").shape == SIZE
        assert torch.isfinite(weights["region_state.centres"]).all()


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
    half = small(data_directory, tmp_path, *given, "dataset.occluder=mouth@0.5+eyes@0.5")
    assert train(half)[1]["dataset"] == "synthetic+mouth@0.5+eyes@0.5"
    keys = {run["phases"]["predictor"]["key"] for run in (tested, summary)}
    assert len(keys) == 2

    with evaluating(data_directory, f"run={occluded}", "dataset=synthetic", *DRAWING) as file:
        assert file.name == "synthetic.parquet"
    with evaluating(data_directory, f"run={plain}", "dataset=synthetic", *DRAWING, "dataset.occluder=mouth@1") as file:
        assert pq.read_table(file).equals(hidden)


def test_predictions_on_data_that_have_changed_are_made_again(data_directory: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "synthetic").symlink_to(data_directory / "synthetic")
    make(data / "other", DrawnFacesMaker(seed=1, train=8, val=16, test=40))
    given = ("scheme=baseline", "recipe.epochs=1", "test_on=[other]")
    run, first = train(small(data, tmp_path / "outputs", *given))
    make(data / "other", DrawnFacesMaker(seed=2, train=8, val=16, test=30))
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
        (["dataset.occluder=mouth@1.2"], "dataset.occluder=mouth@1.2"),
        (["test_on=[synthetic+chin@1]"], "chin"),
    ],
)
def test_an_occluder_that_cannot_be_is_said(data_directory: Path, tmp_path: Path, given: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        train(small(data_directory, tmp_path, *given))
