"""The precision follows the machine, and is part of a run's identity."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from composing import choices, composed, small

from fer_perturb.errors import UserError
from fer_perturb.experiment import precision
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.experiment.precision import computes_in_bf16, device_type, resolved_precision
from fer_perturb.report.run_table import print_runs
from fer_perturb.tasks.chain import Chain

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
ASK = "from fer_perturb.experiment.precision import computes_in_bf16; print(computes_in_bf16('cpu'))"


@pytest.fixture
def machine(monkeypatch):
    """A machine that computes in bfloat16, or one that does not."""

    def stand_in(computes: bool) -> None:
        monkeypatch.setattr(precision, "computes_in_bf16", lambda device: computes)
        precision._warn_of_emulation.cache_clear()

    return stand_in


@pytest.mark.parametrize("recipe", choices("recipe"))
@pytest.mark.parametrize(("computes", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_every_recipe_follows_the_machine(machine, recipe, computes, expected):
    machine(computes)
    config = composed(f"recipe={recipe}", "trainer.accelerator=cpu")
    assert config.recipe.precision == "auto"
    assert resolved_precision(config.recipe.precision, config.trainer) == expected


@pytest.mark.parametrize("asked", ["32-true", "bf16-mixed", "bf16-true"])
def test_an_explicit_precision_is_kept_with_a_warning_where_it_is_emulated(machine, capsys, asked):
    here = {"accelerator": "cpu"}
    machine(True)
    assert resolved_precision(asked, here) == asked
    assert not capsys.readouterr().out
    machine(False)
    assert resolved_precision(asked, here) == asked
    resolved_precision(asked, here)
    told = capsys.readouterr().out
    assert told.count("only emulates") == (asked != "32-true"), "once, and only where it is so"


def test_float16_on_a_cpu_is_refused():
    with pytest.raises(UserError, match=r"recipe\.precision=16-mixed needs a GPU"):
        resolved_precision("16-mixed", {"accelerator": "cpu"})


def test_runs_of_two_precisions_are_two_runs(machine, data_directory, tmp_path):
    config = small(data_directory, tmp_path, "recipe.precision=auto", "scheme=baseline")
    chains = {}
    for computes in (True, False):
        machine(computes)
        chains[computes] = Chain(open_experiment(config))
    assert chains[True].experiment.recipe.precision == "bf16-mixed"
    assert chains[False].experiment.settings["recipe"]["precision"] == "32-true"
    assert chains[True].run.directory != chains[False].run.directory
    assert chains[True].predictor.key() != chains[False].predictor.key()
    machine(True)
    asked = open_experiment(small(data_directory, tmp_path, "recipe.precision=bf16-mixed", "scheme=baseline"))
    assert asked.directory == chains[True].run.directory, "auto is no third kind"


def test_a_table_tells_precisions_apart(capsys, tmp_path):
    scores = {"accuracy": 0.5, "balanced_accuracy": 0.5, "f1_macro": 0.5, "accuracy_no_twins": 0.5}
    phases = {"attention": None, "clustering": None, "predictor": {"seconds": 1.0, "cached": False}}
    run = {"dataset": "fer2013", "tta": "flip", "scheme": "baseline", "model": "resnet_tiny", "seed": 0, "test": scores}
    run |= {"test_original": scores, "test_views": None, "phases": phases}
    runs = [{**run, "precision": name} for name in ("bf16-mixed", "32-true")]
    print_runs(runs[:1], [tmp_path])
    assert "(tta flip), bf16-mixed" in capsys.readouterr().out
    print_runs([*runs, run], [tmp_path] * 3)
    told = capsys.readouterr().out
    assert all(word in told for word in ("precision", "bf16-mixed", "32-true", "?")), "older runs do not say"


@pytest.mark.parametrize(
    ("mps", "cuda", "auto", "gpu"),
    [(False, False, "cpu", "cuda"), (False, True, "cuda", "cuda"), (True, False, "mps", "mps")],
)
def test_the_accelerator_tells_the_device(monkeypatch, mps, cuda, auto, gpu):
    monkeypatch.setattr(precision.MPSAccelerator, "is_available", lambda: mps)
    monkeypatch.setattr(precision.CUDAAccelerator, "is_available", lambda: cuda)
    assert [device_type(accelerator) for accelerator in ("cpu", "auto", "gpu", "tpu")] == ["cpu", auto, gpu, "tpu"]


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the variables are for Intel's instructions")
def test_a_cpu_held_to_avx2_does_not_compute_in_bf16():
    told = subprocess.run(
        [sys.executable, "-c", ASK], env={**os.environ, **AVX2}, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "False"


@pytest.mark.skipif(not Path("/proc/cpuinfo").is_file(), reason="Linux tells what its CPU can do")
def test_the_cpu_s_own_word():
    flags = Path("/proc/cpuinfo").read_text()
    has = any(name in flags.split() for name in ("avx512_bf16", "amx_bf16", "bf16"))
    held = os.environ.get("ONEDNN_MAX_CPU_ISA", "").startswith(("AVX2", "SSE", "AVX1"))
    assert computes_in_bf16("cpu") == (has and not held)
