"""Callbacks and loggers that this package knows nothing of: a file of somebody else's, and a yaml in conf/'s groups."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from commanding import Commands, Shown
from composing import small_overrides

OWN = '''
import json
from pathlib import Path

from pytorch_lightning import Callback
from pytorch_lightning.loggers import CSVLogger


class Stop(Callback):
    """Stops a training after some epochs; counts them in the checkpoint."""

    def __init__(self, after):
        self.after, self.seen = after, 0

    def on_train_epoch_end(self, trainer, pl_module):
        self.seen += 1
        trainer.should_stop = self.seen >= self.after

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]


class Interrupted(Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1 and not Path("interrupted").exists():
            Path("interrupted").touch()
            raise RuntimeError("the power failed")


class Told(CSVLogger):
    """Notes its settings, and how it was closed."""

    def close(self, failed):
        told = {"failed": failed, "seed": self.hparams["seed"]}
        Path(self.save_dir, f"{self.name}.json").write_text(json.dumps(told))

    def log_hyperparams(self, params):
        self.hparams = params
'''
CONFIGS = {
    "callbacks/stop.yaml": "stop:\n  _target_: of_mine.Stop\n  after: 2\n",
    "callbacks/interrupted.yaml": "defaults: [stop]\ninterrupted:\n  _target_: of_mine.Interrupted\n",
    "logger/told.yaml": "_target_: of_mine.Told\nflush_logs_every_n_steps: 1\n",
}


@pytest.fixture
def train(
    tmp_path: Path, data_directory: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Shown]:
    """python -m fer_perturb.train --config-dir=conf …, on Python's path what somebody else has installed."""
    (tmp_path / "of_mine.py").write_text(OWN)
    for name, text in CONFIGS.items():
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "of_mine", raising=False)
    monkeypatch.chdir(tmp_path)
    small = [o for o in small_overrides(data_directory, tmp_path / "outputs") if not o.startswith("recipe.epochs")]

    def run(*words: str) -> Shown:
        return commands("train", "--config-dir=conf", *small, "recipe.epochs=4", *words)

    return run


def summaries() -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(Path("outputs").rglob("summary.json"))]


def test_a_callback_from_outside_works_in_phases_1_and_3(train) -> None:
    """What it changes is part of the run: with and without it are two."""
    assert train("scheme=perturb", "callbacks=stop").status == 0
    (stopped,) = summaries()
    for phase in ("attention", "predictor"):
        assert stopped["phases"][phase]["epochs"] == 2
        assert stopped["phases"][phase]["images"] == 2 * 3 * 8
    assert train("scheme=baseline", "callbacks=stop", "callbacks.stop.after=3").status == 0
    assert train("scheme=baseline").status == 0
    found = {summary["phases"]["predictor"]["epochs"] for summary in summaries() if summary["scheme"] == "baseline"}
    assert found == {3, 4}
    assert len({summary["config_hash"] for summary in summaries()}) == 3


def test_its_state_comes_back_when_a_fit_is_resumed(train) -> None:
    words = ("scheme=baseline", "callbacks=interrupted")
    with pytest.raises(RuntimeError, match="the power failed"):
        train(*words)
    assert train(*words).status == 0
    (summary,) = summaries()
    assert summary["phases"]["predictor"]["epochs"] == 2


def test_the_learning_rate_is_logged(train) -> None:
    assert train("scheme=baseline", "callbacks=learning_rate").status == 0
    (logged,) = Path("outputs").rglob("logs/predictor/**/metrics.csv")
    rates = [float(row["lr-AdamW"]) for row in csv.DictReader(logged.open()) if row["lr-AdamW"]]
    assert len(rates) >= 4
    assert len(set(rates)) > 2


def test_a_logger_from_outside_has_the_settings_and_is_closed(train) -> None:
    words = ("logger=told", "scheme=perturb", "scheme.regions.top_share=0.0005")  # a pixel cannot be three clusters
    assert "cannot be clustered" in train(*words).sentence
    told = {path.stem: json.loads(path.read_text()) for path in Path("outputs").rglob("logs/*.json")}
    assert told == {"attention": {"failed": False, "seed": 0}, "clustering": {"failed": True, "seed": 0}}
    assert list(Path("outputs").rglob("logs/attention/**/metrics.csv"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["+callbacks.mine._target_=of_mine.Nothing"],
            "callbacks.mine cannot be made: Error loading 'of_mine.Nothing': ",
        ),
        (["callbacks=stop", "~callbacks.stop.after"], "callbacks.stop cannot be made: "),
        (
            ["callbacks=stop", "callbacks.stop._target_=builtins.dict"],
            "callbacks.stop._target_=builtins.dict: expected",
        ),
        (["+callbacks.mine=3"], "callbacks.mine=3: expected _target_"),
        (["+callbacks.mine.after=3"], "callbacks.mine._target_ is missing"),
        (["logger=told", "logger._target_=of_mine.Stop"], "logger cannot be made: "),
        (["logger=told", "logger._target_=builtins.dict"], "logger._target_=builtins.dict: expected a Logger"),
        (["~logger._target_"], "logger._target_ is missing"),
        (["+logger.colour=red"], "logger cannot be made: "),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_said(train, words: list[str], says: str) -> None:
    assert train("scheme=baseline", *words).sentence.startswith(says)


def test_debug_quick_is_quick_and_apart(train, commands: Commands) -> None:
    """With any scheme, and any experiment."""
    shown = commands("train", "debug=quick", "scheme=perturb_image", "trainer.accelerator=cpu")
    assert shown.status == 0, shown
    (summary,) = [json.loads(path.read_text()) for path in Path("outputs/debug").rglob("summary.json")]
    assert summary["scheme"] == "perturb_image"
    assert summary["phases"]["predictor"]["images"] == 16
    assert [path.name for path in Path("outputs").iterdir()] == ["debug"]
