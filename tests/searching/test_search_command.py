"""python -m fer_perturb.search on a few drawn faces: trials are runs not yet tested; what is killed goes on."""

import csv
import json
import shlex
import signal
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commanding import Commands
from composing import small_overrides
from forking import Forked, Hold, forked

from fer_perturb.tasks.phases import trained
from fer_perturb.tasks.training.classifier import Classifier

pytestmark = pytest.mark.slow

LR = "search.space.recipe.optimizer.lr"
STEP = "fer_perturb.tasks.training.classifier:Classifier.training_step"


def words(data: Path, outputs: Path, trials: int) -> list[str]:
    """The batch size of all these is set already, so that the learning rate alone is searched."""
    given = [*small_overrides(data, outputs), "scheme=baseline", "recipe.optimizer.weight_decay=0.05"]
    return [*given, f"search.trials={trials}"]


def logits(outputs: Path) -> list[list[float]]:
    (path,) = outputs.glob("synthetic/*/*/*/predictions/synthetic.parquet")
    table = pq.read_table(path)
    return [table[name].to_pylist() for name in table.column_names if name.startswith("logit_")]


def pasted(out: str) -> list[str]:
    """The overrides of the command that is printed at the end."""
    words = shlex.split(out.splitlines()[-1])
    assert words[:3] == ["python", "-m", "fer_perturb.train"]
    return words[3:]


def told(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("Trial ")]


def test_trials_are_not_tested_and_the_best_is_found_again(
    commands: Commands, data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its logits are those of a run that no search knew of, bit for bit."""
    searched, alone = tmp_path / "searched", tmp_path / "alone"
    with monkeypatch.context() as patch:
        patch.setattr(trained, "predict", lambda *_: pytest.fail("a trial is tested"))
        shown = commands("search", *words(data_directory, searched, 2))
    assert shown.status == 0, shown
    assert len(told(shown.out)) == 4
    assert len(list(searched.glob("synthetic/resnet_tiny/baseline/seed0-*/config.yaml"))) == 2
    assert not list(searched.rglob("*.parquet"))
    best = pasted(shown.out)
    assert not [word for word in best if "search" in word.replace(str(searched), "")]

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", lambda *_: pytest.fail("it is trained again"))
        assert commands("train", *best).status == 0
    (summary,) = [json.loads(path.read_text()) for path in searched.rglob("summary.json")]
    assert summary["phases"]["predictor"]["epochs"] == 2
    assert summary["phases"]["predictor"]["images"] == 2 * 3 * 8
    assert f"{100 * summary['val']['accuracy']:.2f} % on val. To test it" in shown.out
    assert commands("train", *[word.replace(str(searched), str(alone)) for word in best]).status == 0
    assert logits(searched) == logits(alone)

    more = commands("search", *words(data_directory, searched, 2))
    assert told(more.out) == []
    assert pasted(more.out) == best
    fixed = commands("search", *words(data_directory, searched, 1), "recipe.optimizer.lr=0.004")
    assert "search.space has no key that is not set already" in fixed.sentence


def test_a_trial_that_was_trained_before_is_not_trained_again(
    commands: Commands, data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = words(data_directory, tmp_path, 1)
    given = [word for word in one if not word.startswith("search")]
    assert commands("train", *given, "recipe.optimizer.lr=0.004").status == 0
    monkeypatch.setattr(trained, "fit", lambda *_, **__: pytest.fail("it is trained again"))
    shown = commands("search", *one, f"~{LR}", f"+{LR}=[0.004]")
    (summary,) = [json.loads(path.read_text()) for path in tmp_path.rglob("summary.json")]
    assert f"Trial 0: {100 * summary['val']['accuracy']:.2f} % on val" in shown.out


def test_what_falls_behind_is_ended_early_and_can_be_finished(
    commands: Commands, data_directory: Path, tmp_path: Path
) -> None:
    """Nothing reaches 110 %, so that each trial ends after its first epoch."""
    pruner = ["search.pruner._target_=optuna.pruners.ThresholdPruner", "~search.pruner.n_startup_trials",
              "+search.pruner.lower=1.1", "search.pruner.n_warmup_steps=0"]  # fmt: skip
    given = [word for word in words(data_directory, tmp_path, 1) if word != "scheme=baseline"]
    shown = commands("search", *given, "search=scheme", *pruner)
    assert "has finished: 1 ended early." in shown.sentence
    begun, ended = told(shown.out)
    assert ended == "Trial 0: ended early"
    of_run = [word for word in given if not word.startswith("search")]
    assert commands("train", *of_run, *begun.split()[2:]).status == 0
    (summary,) = [json.loads(path.read_text()) for path in tmp_path.rglob("summary.json")]
    assert summary["phases"]["predictor"]["epochs"] == 2
    (log,) = tmp_path.rglob("logs/predictor/version_1/metrics.csv")
    assert {row["epoch"] for row in csv.DictReader(log.open())} == {"1"}  # of two


def test_what_would_let_every_trial_fail_is_said_at_once(
    commands: Commands, data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = words(data_directory, tmp_path, 1)
    for more, says in (
        (["+search.space.recipe.optimizer.rate=[1]"], "recipe.optimizer.rate: there is no such key."),
        (["model=ensemble_small"], "model=ensemble has no training of its own"),
        (["search.pruner._target_=optuna.pruners.NoSuch"], "search.pruner cannot be made"),
        (["trainer.devices=2"], "trainer.devices: expected 1"),
        (["seed=-1"], "seed=-1: expected a whole number"),
    ):
        assert says in commands("search", *given, *more).sentence
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert commands("search", *given).sentence == "A search needs Optuna: pip install 'fer_perturb[search]'."


@pytest.mark.slow
def test_a_search_that_is_killed_or_stopped_goes_on(commands: Commands, data_directory: Path, tmp_path: Path) -> None:
    """In the middle of the first trial, and of the second; the trials are those of an undisturbed search."""

    pieces = tmp_path / "pieces"

    def start(hold: Hold | None = None) -> Forked:
        return forked("search", *words(data_directory, pieces, 2), folder=tmp_path / "shown", before=hold)

    killed = start(Hold(STEP, 4))
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    first = told(killed.out)
    stopped = start(Hold(STEP, 3 + 3 + 1))
    assert stopped.end(signal.SIGINT) == -signal.SIGINT
    assert stopped.err == "\nStopped (SIGINT). The same command goes on where this one was.\n"
    resumed, reached, second = told(stopped.out)
    last = start()
    assert (last.status, last.err) == (0, "")

    whole = commands("search", *words(data_directory, tmp_path / "whole", 2))
    assert whole.status == 0, whole

    def points(lines: list[str]) -> list[str]:
        return [line.partition(": ")[2] for line in lines]

    undisturbed = points(told(whole.out))
    assert points([*first, reached, second]) == undisturbed[:3]
    assert points([resumed]) == points(first)
    assert points(told(last.out)) == undisturbed[2:]
    assert [word for word in pasted(last.out) if "lr=" in word] == [word for word in pasted(whole.out) if "lr=" in word]
