"""The command line as people use it: multirun with wandb, errors."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from composing import small_overrides
from forking import forked


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["dataset=fer2013"], ["data/fer2013", "fer_perturb.prepare dataset=fer2013 source="]),
        (["dataset=synthetic", "scheme.scope=image"], ["another name now", "scheme/regions=image"]),
        (["dataset=synthetic", "model=timm", "model.backbone=resnet81"], ["resnet81", "resnet18"]),
        (["dataset=synthetic", "model=timm"], ["backbone"]),
        (["dataset=synthetic", "attention_model.attention.at=[stage9]"], ["stage9", "stage1"]),
        (["dataset=synthetic", "test_on=[maskfer]"], ["maskfer"]),
        (["dataset=synthetic", "trainer.devices=0"], ["trainer", "devices"]),
        (["dataset=synthetic", "seed=-1"], ["seed", "0 or more"]),
    ],
    ids=str,
)
def test_errors_say_what_to_do(commands, arguments, expected, tmp_path, data_directory, monkeypatch):
    """`dataset.drawing.*` as in the prepared data, so that nothing is drawn again."""
    small = small_overrides(data_directory, tmp_path / "outputs")
    if arguments[0] == "dataset=fer2013":
        small = [o for o in small if not o.startswith(("dataset", "paths.data"))]
    monkeypatch.chdir(tmp_path)
    kept = [o for o in small if not o.startswith("model=") or "model=timm" not in arguments]
    shown = commands("train", *kept, *arguments[1:])
    assert shown.status == 2
    assert "Traceback" not in shown.err + shown.out
    for word in expected:
        assert word in shown.err


def inspected(log: Path) -> dict[str, Any]:
    """What wandb's own reader finds in an offline run."""
    wandb = Path(sys.executable).parent / "wandb"
    shown = subprocess.run(
        [wandb, "leet", "inspect", "--summary", "--json", log], capture_output=True, text=True, check=True
    )
    return json.loads(shown.stdout)


@pytest.mark.slow
def test_a_multirun_closes_each_phase_s_own_wandb_run_even_when_a_job_fails(tmp_path, data_directory):
    """One pixel cannot be three clusters: the first job fails in phase 2, and the second goes on."""
    overrides = [o for o in small_overrides(data_directory, tmp_path) if o != "logger=csv"]
    words = (*overrides, "scheme=perturb", "scheme.regions.top_share=0.0005,1.0")
    shown = forked("train", "-m", *words, folder=tmp_path / "shown")
    assert shown.status == 2
    assert "cannot be clustered" in shown.err
    assert "Traceback" not in shown.err
    runs = sorted(tmp_path.glob("synthetic/*/perturb/*"), key=lambda run: (run / "summary.json").exists())
    assert [(run / "summary.json").exists() for run in runs] == [False, True]
    failed, finished = (
        {contents["name"]: contents for contents in map(inspected, run.glob("logs/wandb/offline-run-*/*.wandb"))}
        for run in runs
    )
    assert {name: contents["exit_code"] for name, contents in failed.items()} == {
        "perturb attention seed0": 0,
        "perturb clustering seed0": 1,
    }
    assert {name: contents["exit_code"] for name, contents in finished.items()} == {
        "perturb clustering seed0": 0,
        "perturb predictor seed0": 0,
    }
    assert "val/accuracy" in finished["perturb predictor seed0"]["summary"]
    assert finished["perturb predictor seed0"]["config"]["recipe"]["epochs"] == 2
