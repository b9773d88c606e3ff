"""A dataset that this package knows nothing of: a reader of a few lines and a yaml in somebody else's folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from commanding import Commands

from fer_perturb.data.packed import load_packed

READER = '''
import numpy as np
from fer_perturb.data.packed import RawSplit
from fer_perturb.data.readers.reader import Reading
from fer_perturb.errors import UserError


def read_tones(source, progress, darkest):
    """An npz of images and labels for each split."""
    if source.suffix != ".npz":
        raise UserError(f"source={source} is no npz.")
    arrays, splits = np.load(source), {}
    for split in progress.track(("train", "val", "test"), description="Reading tones"):
        images = arrays[f"{split}_images"].clip(darkest)
        names = [f"{split}{row}" for row in range(len(images))]
        splits[split] = RawSplit(images, arrays[f"{split}_labels"], names)
    return Reading(("dark", "bright"), splits)


class NoReader:
    def __init__(self):
        raise UserError("This one reads nothing.")
'''

CONFIG = """
name: tones
kind: tones
clean: false
reader:
  _target_: tones_of_mine.read_tones
  _partial_: true
  darkest: 20
"""

COUNTS = {"train": 24, "val": 6, "test": 8}


def arrays() -> dict[str, np.ndarray]:
    found, random = {}, np.random.default_rng(0)
    for split, count in COUNTS.items():
        labels = (np.arange(count) % 2).astype(np.uint8)
        noise = random.integers(0, 60, (count, 40, 40))
        found |= {f"{split}_labels": labels, f"{split}_images": (noise + 150 * labels[:, None, None]).astype(np.uint8)}
    return found


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of somebody else, on Python's path as an installed package is."""
    folder = tmp_path / "outside"
    (folder / "conf" / "dataset").mkdir(parents=True)
    (folder / "tones_of_mine.py").write_text(READER)
    (folder / "conf" / "dataset" / "tones.yaml").write_text(CONFIG)
    np.savez(folder / "tones.npz", **arrays())
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(tmp_path)
    return folder


CHOICE = ("--config-dir=outside/conf", "dataset=tones")
A_FEW_STEPS = (
    *("model=resnet_tiny", "recipe=demo", "recipe.epochs=1", "recipe.batch_size=8", "recipe.precision=32-true"),
    *("trainer.limit_train_batches=2", "trainer.accelerator=cpu", "trainer.enable_progress_bar=false", "logger=csv"),
)


def test_it_is_prepared_and_trained_on(outside: Path, commands: Commands) -> None:
    assert len(READER.split("class NoReader")[0].strip().splitlines()) <= 30
    prepared = commands("prepare", *CHOICE, "source=outside/tones.npz")
    assert prepared.status == 0, prepared
    assert "Ready: data/tones" in prepared.out
    data = load_packed(Path("data", "tones"))
    assert data.classes == ("dark", "bright")
    assert {split: len(of) for split, of in data.splits.items()} == COUNTS
    expected = {image.clip(20).tobytes() for image in arrays()["val_images"]}
    assert {np.asarray(image).tobytes() for image in data.splits["val"].images} == expected
    trained = commands("train", *CHOICE, *A_FEW_STEPS, "scheme=perturb")
    assert trained.status == 0, trained
    (summary,) = Path("outputs", "tones").rglob("summary.json")
    assert list(json.loads(summary.read_text())["test"]["per_class"]) == ["dark", "bright"]


def test_its_commands_are_advised(outside: Path, commands: Commands) -> None:
    advised = "python -m fer_perturb.prepare dataset=tones source=PATH"
    assert advised in commands("train", *CHOICE, *A_FEW_STEPS).sentence
    assert advised in commands("prepare", *CHOICE).sentence
    assert commands("prepare", *CHOICE, "source=outside/tones.npz", "dataset.name=others").status == 0
    Path("data", "others", "val", "labels.npy").unlink()
    told = commands("train", *CHOICE, "dataset.name=others", *A_FEW_STEPS).sentence
    assert "python -m fer_perturb.prepare dataset=tones dataset.name=others source=PATH" in told
    told = commands("prepare", "dataset=folder", "dataset.name=others", "source=outside").sentence
    assert "holds data of dataset=tones" in told


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["source=outside/tones.csv"], "source=outside/tones.csv is no npz."),
        (["source=outside/tones.npz", "dataset.reader._target_=tones_of_mine.NoReader",
          "dataset.reader._partial_=false", "~dataset.reader.darkest"], "This one reads nothing."),
        (["source=outside/tones.npz", "dataset.reader._target_=tones_of_mine.read_it"], "dataset.reader: "),
        (["source=outside/tones.npz", "dataset.reader._target_=nobodys.reader"], "No module named 'nobodys'"),
        (["source=outside/tones.npz", "~dataset.reader._target_"], "dataset.reader has no _target_"),
        (["source=outside/float.npz"], "What was read cannot be packed: train: images and labels must be uint8"),
    ],
    ids=["refused by the reader", "refused by its class", "no such function", "no such module", "no target", "floats"],
)  # fmt: skip
def test_what_is_wrong_with_it_is_told(outside: Path, commands: Commands, words: list[str], expected: str) -> None:
    np.savez(outside / "float.npz", **{name: of / 255 if "images" in name else of for name, of in arrays().items()})
    assert expected in commands("prepare", *CHOICE, *words).sentence
    assert not Path("data", "tones").exists()


def test_what_is_made_has_no_source(commands: Commands, tmp_path: Path) -> None:
    told = commands("prepare", "dataset=synthetic", "source=faces", f"paths.data={tmp_path}").sentence
    assert told == "source=faces: dataset=synthetic is made, not read. Leave source= out."
