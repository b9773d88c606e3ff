"""An exported model says what its run says, without this package."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from commanding import Commands
from safetensors import safe_open
from trained_once import SCHEMES, shares

import fer_perturb
from fer_perturb.prediction.export import write_model
from fer_perturb.prediction.portable import portable

pytestmark = pytest.mark.slow

GRAPHS = ["batch", "baseline"]  # the others' maps are each image's own


def expected(run: Path, images: np.ndarray) -> np.ndarray:
    return shares(fer_perturb.load(run).judge(images))


@pytest.mark.filterwarnings("ignore:`torch.jit")  # deprecated, and still what others load
@pytest.mark.parametrize("name", GRAPHS)
def test_torchscript_agrees(runs: dict[str, Path], images: np.ndarray, tmp_path: Path, name: str) -> None:
    file = write_model(portable(runs[name]), "torchscript", tmp_path)
    extra = {"classes.json": ""}
    model = torch.jit.load(file, _extra_files=extra)
    logits, probabilities = model(torch.from_numpy(images))
    np.testing.assert_allclose(probabilities.numpy(), expected(runs[name], images), atol=1e-4)
    np.testing.assert_allclose(logits.softmax(dim=-1).numpy(), probabilities.numpy(), atol=1e-6)
    assert json.loads(extra["classes.json"]) == list(fer_perturb.load(runs[name]).classes)


@pytest.mark.parametrize("name", GRAPHS)
def test_onnx_agrees(runs: dict[str, Path], images: np.ndarray, tmp_path: Path, name: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    file = write_model(portable(runs[name]), "onnx", tmp_path)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for some in (images, images[:1]):
        _, probabilities = session.run(["logits", "probabilities"], {"image": some})
        np.testing.assert_allclose(probabilities, expected(runs[name], some), atol=1e-4)
    classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
    assert classes == list(fer_perturb.load(runs[name]).classes)


@pytest.mark.parametrize("name", SCHEMES)
def test_safetensors_is_the_run(runs: dict[str, Path], images: np.ndarray, tmp_path: Path, name: str) -> None:
    file = write_model(portable(runs[name]), "safetensors", tmp_path)
    of_file, of_run = fer_perturb.load(file).judge(images), fer_perturb.load(runs[name]).judge(images)
    for one, other in zip(of_file, of_run, strict=True):
        assert (one.probabilities, one.views) == (other.probabilities, other.views)
        np.testing.assert_array_equal(one.attention, other.attention)
    with safe_open(file, framework="pt") as opened:
        assert str(runs[name].parents[4]) not in opened.metadata()["run"], "a path of this machine"


def test_the_command_writes_a_card_beside_it(commands: Commands, runs: dict[str, Path], tmp_path: Path) -> None:
    shown = commands("export", f"run={runs['batch']}", "format=torchscript", f"out={tmp_path}")
    assert shown.status == 0, shown
    model = tmp_path / "synthetic-resnet_tiny-perturb-seed0.pt"
    card = tmp_path / f"{model.name}.md"
    assert sorted(tmp_path.iterdir()) == [model, card]
    assert f"Written to {card}" in shown.out
    text, summary = card.read_text(), json.loads((runs["batch"] / "summary.json").read_text())
    assert "the mean of the logits over its views; test-time augmentation: flip" in text
    assert f"| accuracy | {100 * summary['test']['accuracy']:.1f} % |" in text
    assert "test (16 images)" in text
    for limit in ("Drawn faces are drawn", "It tells no feelings", "The law restricts it"):
        assert limit in text


def test_what_cannot_be_exported_is_said(commands: Commands, runs: dict[str, Path], tmp_path: Path) -> None:
    damaged = tmp_path / "model.safetensors"
    damaged.write_bytes(write_model(portable(runs["baseline"]), "safetensors", tmp_path).read_bytes()[:5000])
    for words, says in (
        ([], "run= is missing"),
        ([f"run={runs['image']}", "format=onnx"], "Expected format=safetensors"),
        ([f"run={runs['image']}", "format=torchscript"], "a map of each image"),
        ([f"run={runs['batch']}", "format=pickle"], "expected one of onnx, torchscript, safetensors"),
        ([f"run={damaged}", "format=onnx"], "model.safetensors cannot be read"),
    ):
        assert says in commands("export", *words, f"out={tmp_path / 'out'}").sentence
    assert not (tmp_path / "out").exists()
