"""Results are compared bit by bit, and every choice of conf/ has a case."""

import json
import shlex

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks import same_results
from benchmarks.result_cases import CASES, LEFT_OUT
from composing import choices

GROUPS = ("scheme", "model", "attention_model", "dataset", "recipe")
DEFAULTS = {"attention_model": "gated"}  # of conf/train.yaml, which no case says


def output(**cases):
    return {"made_with": {"torch": "1.0"}, "cases": cases}


PERTURB = {"predictor epochs": 3, "predictor flops": 1000, "predictions/shades": "ab12"}
EQUAL = output(baseline={"predictions/shades": "cd34"}, perturb=PERTURB)


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (EQUAL, []),
        (output(baseline={"predictions/shades": "cd34"}, perturb=PERTURB | {"predictor flops": 1001}),
         [("perturb", "predictor flops", 1000, 1001)]),
        (output(baseline={"predictions/shades": "cd35"}, perturb={"predictor epochs": 3, "predictor flops": 1000}),
         [("baseline", "predictions/shades", "cd34", "cd35"), ("perturb", "predictions/shades", "ab12", None)]),
        (output(perturb=PERTURB),
         [("baseline", "", "there", "missing")]),
    ],
    ids=["equal", "flops", "logits", "missing"],
)  # fmt: skip
def test_outputs_are_compared(other, differs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(same_results, "run", lambda names: (EQUAL, []))
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(SystemExit) as ended:
        same_results.main([str(tmp_path / "out.json"), "--against", str(tmp_path / "other.json")])
    assert same_results.differences(EQUAL, other, None) == differs
    assert ended.value.code == int(bool(differs))
    shown = capsys.readouterr().out
    assert ("Nothing differs" in shown) == (not differs)
    for row in differs:
        assert all(str(value) in shown for value in row if value is not None)
    assert json.loads((tmp_path / "out.json").read_text()) == EQUAL


def test_only_the_cases_named_are_compared():
    other = output(perturb=PERTURB | {"predictor epochs": 4})
    assert same_results.differences(output(perturb=PERTURB), EQUAL, ["perturb"]) == []
    assert same_results.differences(EQUAL, other, ["perturb"]) == [("perturb", "predictor epochs", 3, 4)]


def test_a_case_that_fails_is_told(tmp_path, monkeypatch, capsys):
    """The others are run, and each command once."""
    called = []

    def call(module, *words):
        called.append(words[0])
        print(f"said of {words[0]}")
        return 2 if words[0] == "dataset=broken" else 0

    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # restores it, too
    monkeypatch.setattr(same_results, "call", call)
    monkeypatch.setattr(same_results, "PREPARED", ("prepare dataset=a", "prepare dataset=broken", "prepare dataset=b"))
    whole, c, lost = ("prepare dataset=a", "prepare dataset=c"), ("prepare dataset=c",), ("train dataset=d",)
    monkeypatch.setattr(same_results, "CASES", {"whole": whole, "c": c, "lost": lost})
    with pytest.raises(SystemExit) as ended:
        same_results.main([str(tmp_path / "out.json")])
    assert ended.value.code == 1
    shown = capsys.readouterr().out
    assert "said of dataset=broken" in shown
    assert "made 0 runs" in shown
    assert "Failed: prepare dataset=broken, lost" in shown
    assert json.loads((tmp_path / "out.json").read_text())["cases"] == {"whole": {}, "c": {}}
    assert called == [f"dataset={name}" for name in ("a", "broken", "b", "c", "d")]


@pytest.fixture
def run(tmp_path):
    """A run's directory, as far as it is looked at, with one logit changed by as little as there is, or not."""

    def made(name="run", **changes):
        given = {"epochs": 2, "logit": np.float32(0.5), "seconds": 3.0, "hash": "0a1b2c3d"} | changes
        directory = tmp_path / name
        (directory / "predictions").mkdir(parents=True)
        logits = np.arange(4, dtype=np.float32)
        logits[2] = given["logit"]
        table = pa.table({"name": [f"{name}{row}" for row in range(4)], "logit_calm": logits, "logit_tense": -logits})
        pq.write_table(table, directory / "predictions" / f"faces+views_from@perturb-seed0-{given['hash']}.parquet")
        phase = {"key": given["hash"], "epochs": given["epochs"], "flops": 9, "seconds": given["seconds"]}
        phases = {"phases": {"attention": None, "predictor": phase}}
        (directory / "summary.json").write_text(json.dumps(phases))
        return same_results.of_run(directory)

    return made


def test_the_smallest_change_of_a_logit_tells(run):
    assert run("one") != run("other", logit=np.nextafter(np.float32(0.5), np.float32(1)))


def test_what_may_change_does_not_tell(run):
    one = run("one")
    assert one == run("other", seconds=4.0, hash="3d2c1b0a")
    assert set(one) == {"predictor epochs", "predictor flops", "predictions/faces+views_from@perturb-seed0"}
    assert one != run("longer", epochs=3)


def test_every_choice_has_a_case():
    """The last word of a group counts; or it is left out for a reason."""
    named = {f"{group}/{choice}" for group, choice in DEFAULTS.items()}
    for words in CASES.values():
        said = dict(word.partition("=")[::2] for word in shlex.split(words[-1]))
        named |= {f"{group}/{said[group]}" for group in GROUPS if group in said}
    there = {f"{group}/{choice}" for group in GROUPS for choice in choices(group)}
    assert there - named == set(LEFT_OUT)
    assert named <= there
    assert all(LEFT_OUT.values())
