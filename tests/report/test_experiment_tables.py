"""The experiments on drawn faces, from the command line to their tables."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from composing import small, small_overrides
from omegaconf import OmegaConf

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.data.landmarks.maskfer import MaskFerMaker
from fer_perturb.data.packed import load_packed
from fer_perturb.data.packing import make
from fer_perturb.errors import UserError
from fer_perturb.files import write_text
from fer_perturb.report.experiment_tables import TABLES, write_tables
from fer_perturb.train import train

pytestmark = pytest.mark.slow


def mouths(text):
    """The changes of the accuracy on all images with hidden mouths, rounded."""
    return [row[1].split(" %")[0] for row in rows(text) if row[0] == "mouth" and "%" in row[1]]


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def experiment(commands, data, outputs, name, *given):
    overrides = [o for o in small_overrides(data, outputs) if not o.startswith("recipe.epochs")]
    shown = commands("train", f"experiment={name}", *overrides, "recipe.epochs=1", *given)
    assert shown.status == 0, shown.err
    (file,) = (outputs / "tables").glob(f"{name}-synthetic-resnet_tiny-demo-*.md")
    assert f"Written to {file}" in shown.out
    return file.read_text()


def test_feature_removal(commands, data_directory, tmp_path):
    text = experiment(commands, data_directory, tmp_path, "feature_removal", "dataset.occluder=none,mouth,eyes")
    parts = text.split("Hidden in ")
    assert [part.split(":")[0] for part in parts[1:]] == [
        "testing only, `baseline`", "training and in testing, `baseline`", "training, whole in testing, `baseline`"
    ]  # fmt: skip
    changes, answers = zip(*(part.split("How often") for part in parts[1:]), strict=True)
    features = [[row[0] for row in rows(part)[3:]] for part in changes]
    assert [row[0] for row in rows(answers[1])[2:]] == ["its share of the images", "whole faces", "mouth", "eyes"]
    assert all(97 <= sum(int(cell) for cell in row[1:]) <= 103 for row in rows(answers[0])[2:])
    assert features[0] == ["mouth", "nose", "eyes", "brows", "upper", "lower", "mask"]
    assert features[1:] == [["mouth", "eyes"], ["mouth", "eyes"]]
    assert rows(parts[1])[0] == ["", "all", "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert re.fullmatch(r"-|[+-]\d+ % \[[+-]\d+, [+-](\d+|inf)\]", rows(parts[1])[3][1])


def test_occlusion_curve(commands, data_directory, tmp_path):
    text = experiment(commands, data_directory, tmp_path, "occlusion_curve", "scheme=baseline,landmarks")
    table = rows(text)
    assert table[0] == ["network", "data", "scheme", "hidden", "0", "0.2", "0.4", "0.6", "0.8", "1", "area"]
    assert [row[2:4] for row in table[2:]] == [
        ["`baseline`", "mask"], ["`baseline`", "eyes"], ["`landmarks`", "mask"], ["`landmarks`", "eyes"]
    ]  # fmt: skip
    assert all(0 <= float(cell) <= 100 for row in table[2:] for cell in row[4:])
    (picture,) = (tmp_path / "tables").glob("occlusion_curve-synthetic-resnet_tiny-demo-*.png")
    assert picture.stat().st_size > 10_000
    for ending in (".md", ".html", ".tex", ".csv", ".svg"):
        assert "mask" in picture.with_suffix(ending).read_text()


def test_table1(commands, data_directory, tmp_path):
    """Drawn faces stand for FER2013, and their masked twins for MaskFer."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "fer2013").symlink_to(data_directory / "synthetic")
    make(data / "maskfer", MaskFerMaker(load_packed(data / "fer2013"), unplaced="mean", workers=1))
    drawn = ("dataset", "recipe.epochs", "paths.data")
    given = [o for o in small_overrides(data, tmp_path) if not o.startswith(drawn)]
    words = ("experiment=table1", *given, f"paths.data={data}", "recipe.epochs=1", "scheme=baseline,landmarks")
    shown = commands("train", *words)
    assert shown.status == 0, shown.err
    (file,) = (tmp_path / "tables").glob("table1-fer2013-resnet_tiny-demo-*.md")
    table = rows(file.read_text())
    assert table[0][3:] == ["all", "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    ours = [row for row in table if row[0] == "resnet_tiny"]
    assert [row[1:3] for row in ours] == [
        [f"`{scheme}`, trained {how}", "0"]
        for scheme in ("baseline", "landmarks")
        for how in (
            "and tested on MaskFer", "on FER2013, tested on MaskFer", "on MaskFer, tested on FER2013"
        )
    ]  # fmt: skip
    assert table[2][:9] == ["DenseNet", "the paper, printed", "", "-", "-39 %", "-49 %", "-20 %", "-49 %", "-12 %"]
    assert table[3][8] == "+12.2 %"  # sad, in the draft


def test_a_table_that_there_is_not_is_said(data_directory, tmp_path):
    with pytest.raises(UserError, match=f"table=table9: expected null, one of {', '.join(TABLES)}"):
        train(small(data_directory, tmp_path, "table=table9"))


def test_runs_that_are_not_all_of_it_make_no_table(data_directory, tmp_path):
    given = ("scheme=baseline", "recipe.epochs=1")
    runs = [train(small(data_directory, tmp_path, *given, "dataset.occluder=mouth"))]
    for name in TABLES:
        assert write_tables(name, runs[:1], tmp_path) == {} or name in ("occlusion_curve", "budgets")


def fabricated(root, data, scheme, seed, right, *, model="resnet_tiny", pictures="", **keys):
    """A run whose predictions are right on the first of each 10 images of a class, as many as `right` says."""
    given = "".join(f"-{value}" for value in keys.values())
    directory = root / f"{data}-{scheme}-{seed}-{model}{given}"
    config = {
        "dataset": {"name": data.partition("+")[0], "clean": keys.get("clean", False)}, "model": {"backbone": model},
        "scheme": {"name": scheme, "n_clusters": keys.get("n_clusters", 3)}, "budget": "epochs", "seed": seed,
        "attention_model": {"backbone": model, "attention": {"at": ["stage1"]}}, "trainer": {"devices": 1},
        "recipe": {"name": "demo", "epochs": 2}, "test_on": list(right),
    }  # fmt: skip
    write_text(directory / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(config)))
    for on, counts in right.items():
        names = [f"face{k}" for k in range(70)]
        labels = np.arange(70) // 10
        hit = np.arange(70) % 10 < np.array(counts)[labels]
        logits = np.eye(7)[np.where(hit, labels, (labels + 1) % 7)]
        columns = {
            "split": ["test"] * 70, "name": names, "sha256": [f"{pictures}{k:060}" for k in range(70)], "label": labels,
            "inference": ["original"] * 70, "tta": ["flip"] * 70, "view": [-1] * 70,
        } | {f"logit_{name}": logits[:, k] for k, name in enumerate(EMOTIONS)}  # fmt: skip
        (directory / "predictions").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), directory / "predictions" / f"{on}.parquet")
    summary = {
        "dataset": data, "scheme": scheme, "seed": seed, "model": model, "inference": "original", "tta": "flip",
        "test_on": {on: {"accuracy": sum(counts) / 70} for on, counts in right.items()},
        "test": {"accuracy": sum(right.get(data, [0])) / 70, "per_class": dict.fromkeys(EMOTIONS)},
    }  # fmt: skip
    return directory, summary


def test_table1_says_which_is_which(tmp_path):
    ten, five = [10] * 7, [10, 5, 5, 5, 5, 5, 5]
    runs = [
        fabricated(tmp_path, "fer2013", "baseline", 0, {"fer2013": ten, "maskfer": [2] * 7}),
        fabricated(tmp_path, "maskfer", "baseline", 0, {"fer2013": [8] * 7, "maskfer": five}),
    ]
    (file,) = write_tables("table1", runs, tmp_path)
    table = [row for row in rows(file.read_text()) if row[0] == "resnet_tiny"]
    assert [[cell.split(" %")[0] for cell in row[3:6]] for row in table] == [
        ["-43", "+0", "-50"], ["-80", "-80", "-80"], ["-20", "-20", "-20"]
    ]  # fmt: skip
    assert table[0][4] == "+0 % [+0, +0]"
    # the paper's networks fall on all seven; angry does not move here in the first pair
    assert "trained and tested on MaskFer: 6 of 7; " in file.read_text()
    assert "trained on FER2013, tested on MaskFer: 7 of 7" in file.read_text()


def test_seeds_are_averaged_and_models_and_schemes_are_not(tmp_path):
    runs = [
        fabricated(tmp_path, "fer2013", scheme, seed, {"fer2013": [10] * 7, "fer2013+mouth@1": [hit] * 7}, model=model)
        for scheme, seed, hit, model in (
            ("baseline", 0, 4, "a"), ("baseline", 1, 6, "a"), ("perturb", 0, 9, "a"), ("baseline", 0, 1, "b")
        )
    ]  # fmt: skip
    files = list(write_tables("feature_removal", runs, tmp_path))
    assert [file.name[:-12] for file in files] == ["feature_removal-fer2013-a-demo", "feature_removal-fer2013-b-demo"]
    assert [mouths(file.read_text()) for file in files] == [["-50", "-10"], ["-90"]]
    assert "seeds 0, 1" in files[0].read_text()
    assert "by a bootstrap over the test images, which are paired" in files[0].read_text()
    (again,) = write_tables("feature_removal", runs[:1], tmp_path)  # other runs leave them as they are
    assert again != files[0]
    assert files[0].exists()


@pytest.mark.parametrize(("key", "one", "other"), [("clean", False, True), ("n_clusters", 2, 6)])
def test_what_differs_in_a_key_is_not_taken_for_another_seed(tmp_path, key, one, other):
    runs = [
        fabricated(
            tmp_path, "fer2013", "perturb", 0, {"fer2013": [10] * 7, "fer2013+mouth@1": [hit] * 7}, **{key: value}
        )
        for hit, value in ((2, one), (8, other))
    ]
    text = "".join(file.read_text() for file in write_tables("feature_removal", runs, tmp_path))
    assert mouths(text) == ["-80", "-20"]
    if key == "n_clusters":
        assert "`perturb, n_clusters=2`" in text


def test_a_maskfer_of_other_pictures_is_compared_unpaired(tmp_path):
    fer2013 = fabricated(tmp_path, "fer2013", "baseline", 0, {"fer2013": [8] * 7})
    fabricated(tmp_path, "fer2013", "baseline", 0, {"maskfer": [4] * 7}, pictures="m")
    masked = fabricated(tmp_path, "maskfer", "baseline", 0, {"maskfer": [4] * 7}, pictures="m")
    fabricated(tmp_path, "maskfer", "baseline", 0, {"fer2013": [6] * 7})
    for _, summary in (fer2013, masked):
        summary["test_on"] = {"fer2013": {}, "maskfer": {}}
    (file,) = write_tables("table1", [fer2013, masked], tmp_path)
    happy = [row[7].split(" %")[0] for row in rows(file.read_text()) if row[0] == "resnet_tiny"]
    assert happy == ["-50", "-50", "-25"]
    apart = [
        f"resnet_tiny, `baseline`, trained {how}" for how in ("and tested on MaskFer", "on FER2013, tested on MaskFer")
    ]
    assert f"which are paired (not of those {'; '.join(apart)}: they are other pictures)" in file.read_text()


def test_two_fills_are_two_lines(tmp_path):
    right = {"fer2013": [9] * 7, "fer2013+mask@0.5": [8] * 7, "fer2013+mask@0.5-noise": [1] * 7}
    (file,) = write_tables("occlusion_curve", [fabricated(tmp_path, "fer2013", "baseline", 0, right)], tmp_path)
    assert [row[3:] for row in rows(file.read_text())[2:4]] == [
        ["mask", "90.0", "80.0", "85.0"],
        ["mask by noise", "90.0", "10.0", "50.0"],
    ]
