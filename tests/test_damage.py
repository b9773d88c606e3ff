"""Whatever is damaged: one sentence and a way on, or it is made again; never a traceback, never another number."""

import json
import os
import pickle
import re
import resource
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import pytorch_lightning as pl
from commanding import Commands, Shown
from composing import small, small_overrides
from forking import forked
from small_fer2013 import encode, pictures, textures, write_zip

from fer_perturb.data.packed import load_packed
from fer_perturb.data.packing import make
from fer_perturb.data.readers.drawn_faces import DrawnFacesMaker
from fer_perturb.errors import UserError
from fer_perturb.experiment.dataset import open_dataset
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.runs.phase_cache import damage_of
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.phases.cluster_mask_callback import ClusterMaskCallback
from fer_perturb.tasks.training.checkpoints import resume_from

CHAIN = ("scheme=perturb", "recipe.epochs=3", "recipe.scheduler.pct_start=0.5")


class StopError(Exception):
    """Ends a training as a kill would."""


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    some = slice(middle, middle + 100)  # more than lies between the parts of a checkpoint, where nothing is lost
    content[some] = bytes(255 - value for value in content[some])
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other_digit(path: Path) -> None:
    """Another number in a JSON file, which can still be read."""
    content = json.loads(path.read_text())
    key = "images" if "images" in content else "left_out"
    content[key] = 8
    path.write_text(json.dumps(content, indent=2))


def nowhere(path: Path) -> None:
    """A link to nothing in its place."""
    if path.is_dir():
        shutil.rmtree(path)
    path.symlink_to(path.with_name("nothing"))


def execute(path: Path) -> None:
    """A pickle that would make a file beside it."""

    class Command:
        def __reduce__(self) -> object:
            return os.system, (f"touch {path.parent / 'executed'}",)

    path.write_bytes(pickle.dumps(Command()))


def logits(outputs: Path) -> list[list[float]]:
    (path,) = outputs.glob("synthetic/*/*/*/predictions/synthetic.parquet")
    table = pq.read_table(path)
    return [table[name].to_pylist() for name in table.column_names if name.startswith("logit_")]


def summary(run: Path) -> dict[str, Any]:
    """What a run's summary says, whether its phases were found or made."""
    content: dict[str, Any] = json.loads((run / "summary.json").read_text())
    for phase in content["phases"].values():
        del phase["cached"]
    del content["checksum"], content["files"]["config.yaml"]  # which knows where the outputs lie
    return content


@pytest.fixture(scope="module")
def finished(data_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of a whole run of CHAIN; not to be changed."""
    outputs = tmp_path_factory.mktemp("finished")
    config = small(data_directory, outputs, *CHAIN)
    from fer_perturb.train import train

    train(config)
    return outputs


@pytest.fixture
def run(commands: Commands, data_directory: Path, tmp_path: Path) -> Callable[..., Shown]:
    """Runs CHAIN into tmp_path/outputs."""
    return lambda *words: commands("train", *small_overrides(data_directory, tmp_path / "outputs"), *CHAIN, *words)


@pytest.fixture(scope="module")
def interrupted(data_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of a run of CHAIN that was stopped in the last epoch of phase 3; its best epoch is the first."""
    outputs = tmp_path_factory.mktemp("interrupted")

    def stop(callback: pl.Callback, trainer: pl.Trainer, *_: object) -> None:
        if trainer.current_epoch == 2:
            raise StopError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClusterMaskCallback, "on_train_batch_end", stop)
        config = small(data_directory, outputs, *CHAIN)
        with pytest.raises(StopError):
            Chain(open_experiment(config)).finish()
    return outputs


@pytest.mark.parametrize("damage", [cut, flip, empty, execute, Path.unlink])
@pytest.mark.parametrize("damaged", [("last",), ("best",), ("last", "best")], ids=" ".join)
def test_a_damaged_checkpoint(interrupted, data_directory, tmp_path, capsys, damaged, damage):
    (whole,) = (interrupted / ".cache" / "predictor").glob("*.partial/checkpoints")
    folder = shutil.copytree(whole, tmp_path / "checkpoints")
    for name in damaged:
        damage(folder / f"{name}.ckpt")
    config = small(data_directory, tmp_path, *CHAIN)
    task = Chain(open_experiment(config)).predictor.task()
    assert resume_from(folder, task) == (folder / "best.ckpt" if damaged == ("last",) else None)
    words = " ".join(capsys.readouterr().out.split())
    gone = damage is Path.unlink
    for name in damaged:
        told = f"{name}.ckpt is {'missing' if gone else 'damaged'}"
        assert (told in words) == (not gone or len(damaged) == 1), "nothing at all is left of an earlier start"
    assert ("resumes from best.ckpt" in words) == (damaged == ("last",))
    assert ("starts again" in words) == (damaged == ("best",) or (len(damaged) == 2 and not gone))
    assert ("kept as last.ckpt.unused" in words) == (damaged == ("best",))
    assert not list(tmp_path.rglob("executed"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damaged", "damage", "told"),
    [
        (("last",), flip, "resumes from best.ckpt"),
        (("best",), execute, "starts again"),
        (("last", "best"), Path.unlink, ""),
    ],
)
def test_after_a_damaged_checkpoint_the_result_is_the_same(interrupted, finished, run, tmp_path, damaged, damage, told):
    shutil.copytree(interrupted, tmp_path / "outputs")
    (folder,) = (tmp_path / "outputs" / ".cache" / "predictor").glob("*.partial/checkpoints")
    for name in damaged:
        damage(folder / f"{name}.ckpt")
    shown = run()
    assert shown.status == 0, shown.err
    assert told in " ".join(shown.out.split())
    assert not list(tmp_path.rglob("executed"))
    assert logits(tmp_path / "outputs") == logits(finished)


def test_what_is_damaged_is_kept_under_another_name(data_directory, tmp_path):
    config = small(data_directory, tmp_path, "scheme=baseline")
    task = Chain(open_experiment(config)).predictor.task()
    for _ in range(2):
        (tmp_path / "best.ckpt").write_bytes(b"PK\3\4")
        assert resume_from(tmp_path, task) is None
    assert sorted(path.name for path in tmp_path.glob("best*")) == ["best.ckpt.damaged", "best.ckpt.damaged2"]
    assert resume_from(tmp_path, task) is None


def test_a_whole_checkpoint_without_its_best_is_kept_under_another_name(interrupted, data_directory, tmp_path, capsys):
    """As it was, and not as a damaged one."""
    (whole,) = (interrupted / ".cache" / "predictor").glob("*.partial/checkpoints/last.ckpt")
    config = small(data_directory, tmp_path, *CHAIN)
    task = Chain(open_experiment(config)).predictor.task()
    shutil.copy(whole, tmp_path)
    assert resume_from(tmp_path, task) is None
    words = " ".join(capsys.readouterr().out.split())
    assert "best.ckpt is missing: the phase starts again." in words
    assert [path.name for path in tmp_path.glob("*.ckpt*")] == ["last.ckpt.unused"]
    assert (tmp_path / "last.ckpt.unused").read_bytes() == whole.read_bytes()


PHASES = {  # one of the damages to each
    ("attention", "weights.safetensors"): flip,
    ("clustering", "clusters.safetensors"): cut,
    ("predictor", "predictions/synthetic.parquet"): Path.unlink,
    ("predictor", "phase.json"): empty,
}


@pytest.mark.parametrize("damage", [cut, flip, empty, Path.unlink])
@pytest.mark.parametrize(("phase", "file"), PHASES)
def test_a_damaged_phase_is_known(finished, tmp_path, phase, file, damage):
    (whole,) = (path for path in (finished / ".cache" / phase).iterdir() if path.is_dir())
    folder = shutil.copytree(whole, tmp_path / "phase")
    assert not damage_of(folder)
    damage(folder / file)
    assert damage_of(folder).startswith(file)


@pytest.mark.slow
@pytest.mark.parametrize(("phase", "file", "damage"), [(*where, damage) for where, damage in PHASES.items()])
def test_a_damaged_phase_is_made_again(finished, run, tmp_path, phase, file, damage):
    shutil.copytree(finished, tmp_path / "outputs")
    shutil.rmtree(tmp_path / "outputs" / "synthetic")  # as for another job of a sweep
    (folder,) = (path for path in (tmp_path / "outputs" / ".cache" / phase).iterdir() if path.is_dir())
    damage(folder / file)
    shown = run()
    assert shown.status == 0, shown.err
    words = " ".join(shown.out.split())
    assert "The phase is made again" in words
    assert logits(tmp_path / "outputs") == logits(finished)
    assert "found again" in run().out or "Finished before" in run().out


@pytest.mark.slow
@pytest.mark.parametrize("damage", [cut, flip, empty, Path.unlink])
@pytest.mark.parametrize("file", ["summary.json", "config.yaml", "predictions/synthetic.parquet"])
def test_a_damaged_run_is_mended_by_its_command(finished, run, tmp_path, file, damage):
    shutil.copytree(finished, tmp_path / "outputs")
    (directory,) = (tmp_path / "outputs").glob("synthetic/*/*/*")
    whole = summary(directory)
    damage(directory / file)
    shown = run()
    assert shown.status == 0, shown.err
    assert logits(tmp_path / "outputs") == logits(finished)
    assert summary(directory) == whole
    assert "Finished before" in run().out


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flip, Path.unlink])
@pytest.mark.parametrize("file", ["predictor/weights.safetensors", "attention/phase.json"])
def test_a_run_whose_phases_are_damaged_is_mended_by_its_command(finished, run, tmp_path, file, damage):
    """As those who read it advise."""
    shutil.copytree(finished, tmp_path / "outputs")
    (directory,) = (tmp_path / "outputs").glob("synthetic/*/*/*")
    damage(directory / file)
    shown = run()
    assert shown.status == 0, shown.err
    assert "The command that trained it mends it." in " ".join(shown.out.split())
    for phase in ("attention", "clustering", "predictor"):
        assert not damage_of(directory / phase)
    assert logits(tmp_path / "outputs") == logits(finished)


@pytest.mark.slow
@pytest.mark.parametrize("in_the_way", [nowhere, empty])
@pytest.mark.parametrize("ending", ["", ".partial"])
def test_what_stands_where_a_phase_belongs_is_set_aside(finished, run, tmp_path, in_the_way, ending):
    shutil.copytree(finished, tmp_path / "outputs")
    shutil.rmtree(tmp_path / "outputs" / "synthetic")
    (folder,) = (path for path in (tmp_path / "outputs" / ".cache" / "clustering").iterdir() if path.is_dir())
    shutil.rmtree(folder)
    in_the_way(folder.with_name(folder.name + ending))
    shown = run()
    assert shown.status == 0, shown.err
    assert os.path.lexists(folder.with_name(f"{folder.name}{ending}.damaged"))
    assert logits(tmp_path / "outputs") == logits(finished)


DAMAGED = (
    ("summary.json", cut),
    ("summary.json", flip),
    ("summary.json", Path.unlink),
    ("config.yaml", flip),
    ("predictor/weights.safetensors", flip),
    ("predictor/phase.json", cut),
    ("predictor/content.json", Path.unlink),
    ("predictor/phase.json", other_digit),
    ("attention/", shutil.rmtree),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "file", "damage"),
    [
        (key, file, damage)
        for key in ("run", "views_from", "budget_of")
        for file, damage in DAMAGED
        if key != "budget_of" or "/" not in file  # a budget is what the summary says
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_damaged_run_that_is_named(finished, commands, data_directory, tmp_path, key, file, damage):
    shutil.copytree(finished, tmp_path / "outputs")
    (directory,) = (tmp_path / "outputs").glob("synthetic/*/*/*")
    (whole,) = finished.glob("synthetic/*/*/*")
    damage(directory / file)
    places = [f"paths.data={data_directory}", "trainer.accelerator=cpu", "trainer.enable_progress_bar=false"]
    if key == "budget_of":
        shown = commands("train", *small_overrides(data_directory, tmp_path), f"{key}={directory}")
    elif key == "run":
        shown = commands("evaluate", *places, f"run={directory}")
    else:
        shown = commands("evaluate", *places, f"run={whole}", f"views_from={directory}")
    assert shown.sentence.startswith(f"{key}={directory}")


@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink])
@pytest.mark.parametrize("file", ["images.npy", "labels.npy", "names.txt"])
def test_damaged_data_are_refused(data_directory, tmp_path, file, damage):
    root = tmp_path / "data" / "mine"
    shutil.copytree(data_directory / "synthetic", root)
    damage(root / "train" / file)
    with pytest.raises(UserError, match=rf"is not whole: .*{file}.*fer_perturb\.prepare dataset=synthetic"):
        load_packed(root)


def faces_of(kind: str, root: Path) -> tuple[str, list[str]]:
    """Where pictures lie, or "", and the words by which they become data named mine."""
    if kind == "fer2013":
        return str(write_zip(root / "faces.zip", pictures((2, 1, 1)))), ["dataset=fer2013"]
    if kind == "folder":
        for number, image in enumerate(textures(24, 0, (12, 12))):
            place = root / "my faces" / ("calm", "tense")[number % 2] / f"S{number // 4}_{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(encode(image, "PNG"))
        splits = ["dataset.split=[0.5,0.25,0.25]", "dataset.group=^S[0-9]+", "dataset.split_seed=3"]
        return str(root / "my faces"), ["dataset=folder", "classes=[tense,calm]", "dataset.resize=[16,10]", *splits]
    drawn = ["dataset.drawing.train=8", "dataset.drawing.val=4", "dataset.drawing.test=4", "dataset.drawing.seed=2"]
    if kind == "maskfer":
        return "", ["dataset=maskfer", "dataset.of=drawn"]
    return "", [f"dataset={kind}", *drawn, "dataset.drawing.strength=[0.5,1]"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "damage", "file"),
    [
        ("fer2013", flip, "train/images.npy"),
        ("folder", cut, "val/labels.npy"),
        ("maskfer", empty, "train/names.txt"),
        ("synthetic", other_digit, "manifest.json"),
        ("planted", Path.unlink, "test/images.npy"),
    ],
)
def test_the_command_that_is_advised_mends_damaged_data(commands, tmp_path, kind, damage, file):
    source, words = faces_of(kind, tmp_path)
    data = tmp_path / "data"
    if kind == "maskfer":
        make(data / "drawn", DrawnFacesMaker(seed=0, train=8, val=4, test=4))
    given = [*words, "dataset.name=mine", f"paths.data={data}", *([f"source={source}"] if source else [])]
    made = commands("prepare", *given)
    assert made.status == 0, made.err
    whole = {path: path.read_bytes() for path in (data / "mine").rglob("*") if path.is_file()}
    damage(data / "mine" / file)
    with pytest.raises(UserError, match=rf"is not whole: .*{file}") as refused:
        load_packed(data / "mine")
    _, _, advice = str(refused.value).partition("Prepare it with: python -m fer_perturb.prepare ")
    followed = commands("prepare", *(word.replace("PATH", source) for word in shlex.split(advice)))
    assert followed.status == 0, followed.err
    assert {path: path.read_bytes() for path in (data / "mine").rglob("*") if path.is_file()} == whole


@pytest.mark.parametrize("content", [None, "[]", '{"source": {"form": "drawn"}, "classes": []}', '{"source": 3}', "{"])
def test_a_manifest_that_tells_nothing_leaves_the_name(data_directory, tmp_path, content):
    for name, told in (("synthetic", "dataset=synthetic"), ("mine", "dataset=(folder|synthetic) dataset.name=mine")):
        shutil.copytree(data_directory / "synthetic", tmp_path / name)
        manifest = tmp_path / name / "manifest.json"
        manifest.unlink() if content is None else manifest.write_text(content)
        with pytest.raises(UserError, match=rf"with: python -m fer_perturb\.prepare {told}"):
            load_packed(tmp_path / name)


def test_a_list_of_pictures_that_holds_zero_bytes(commands, tmp_path):
    (tmp_path / "faces.csv").write_bytes(b"path,label,split\n" + bytes(9) + b".png,calm,train\n")
    words = ("dataset=folder", "dataset.name=mine", f"source={tmp_path / 'faces.csv'}", f"paths.data={tmp_path}")
    assert "a zero byte in its name" in commands("prepare", *words).sentence


def test_a_folder_where_a_file_belongs_is_told(finished, run, tmp_path):
    shutil.copytree(finished, tmp_path / "outputs")
    (summary,) = (tmp_path / "outputs").glob("synthetic/*/*/*/summary.json")
    summary.unlink()
    summary.mkdir()
    assert "summary.json cannot be used: Is a directory. Mend it, or move it out of the way" in run().sentence


@pytest.mark.parametrize("damage", [lambda path: flip(path / "train" / "images.npy"), nowhere])
def test_drawn_faces_that_are_damaged_are_drawn_again(data_directory, tmp_path, damage):
    shutil.copytree(data_directory / "synthetic", tmp_path / "data" / "synthetic")
    damage(tmp_path / "data" / "synthetic")
    config = small(tmp_path / "data", tmp_path)
    drawn, whole = open_dataset(config), load_packed(data_directory / "synthetic")
    assert np.array_equal(drawn.splits["train"].images, whole.splits["train"].images)


def at_most_100_kb() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.slow
def test_a_full_disk(data_directory, finished, tmp_path):
    """No file may be larger than 100 KB, in a process of its own."""
    words = [*small_overrides(data_directory, tmp_path / "outputs"), *CHAIN]
    ran = forked("train", *words, folder=tmp_path / "limited", before=at_most_100_kb)
    assert ran.status == 2, ran.err
    assert "Traceback" not in ran.err
    (told,) = [line for line in ran.err.splitlines() if line.startswith("Error: ")]
    cannot = re.search(
        r"checkpoints/best\.ckpt cannot be written \(([\d,]+) bytes\): File too large; [\d,]+ bytes", told
    )
    assert cannot, told
    assert int(cannot[1].replace(",", "")) > 100_000
    again = forked("train", *words, folder=tmp_path / "unlimited")
    assert again.status == 0, again.err
    assert logits(tmp_path / "outputs") == logits(finished)


def test_a_learning_rate_that_diverges_names_its_first_step(run, tmp_path):
    words = ("scheme=baseline", "recipe.optimizer.lr=1e20", "recipe.scheduler.pct_start=0.5")
    told = run(*words).sentence
    assert "Training diverged: step 1 of epoch 0" in told
    assert "Learning rate" in told
    assert "images face" in told
    assert "recipe.optimizer.lr" in told
    assert not list(tmp_path.rglob("*.ckpt"))
