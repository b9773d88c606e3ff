"""A phase keeps, and predicts with, its best epoch on val; of equally good ones the first."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import pytorch_lightning as pl
import torch
from composing import composed, small, small_overrides
from rehearsed import rehearse
from safetensors.torch import load_file
from tiny_dataset import write_tiny

from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.training.trainer import fit
from fer_perturb.train import train

pytestmark = pytest.mark.slow

# a rate that does not depend on how many epochs follow
BY_EPOCH = (
    "recipe.scheduler._target_=torch.optim.lr_scheduler.StepLR",
    "~recipe.scheduler.max_lr",
    "~recipe.scheduler.pct_start",
    "+recipe.scheduler.step_size=3",
)
SCORES = (0.2, 0.6, 0.5, 0.6, 0.1)  # the second is the best, and the last is not


def logged_accuracies(run: Path, phase: str) -> list[float]:
    """val/accuracy of each epoch."""
    with (run / "logs" / phase / "version_0" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/accuracy"]]
    assert [int(row["epoch"]) for row in rows] == list(range(len(rows)))
    return [float(row["val/accuracy"]) for row in rows]


def test_the_best_epoch_is_kept_and_predicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny(tmp_path / "data" / "tiny")
    rehearse(monkeypatch, SCORES)
    places = [o for o in small_overrides(tmp_path / "data", tmp_path) if not o.startswith("dataset")]

    def chain(epochs: int):
        overrides = ["dataset=folder", "dataset.name=tiny", "recipe.batch_size=8", f"recipe.epochs={epochs}"]
        run, summary = train(composed(*places, *overrides, *BY_EPOCH, "scheme/regions=batch"))
        return run, summary, pq.read_table(run / "predictions" / "tiny.parquet")

    run, summary, predictions = chain(len(SCORES))
    for phase in ("attention", "predictor"):
        measured = logged_accuracies(run, phase)
        assert len(measured) == len(SCORES)
        assert summary["phases"][phase]["best_epoch"] == 1
        assert summary["phases"][phase]["val"]["accuracy"] == pytest.approx(measured[1], abs=1e-6)

    # a run that ends with that epoch predicts the same, from the same weights and clusters
    short, _, same = chain(2)
    assert short != run
    for phase in ("attention", "predictor"):
        kept, weights = (load_file(at / phase / "weights.safetensors") for at in (run, short))
        assert kept.keys() == weights.keys()
        assert all(torch.equal(kept[name], weights[name]) for name in kept)
    assert predictions.equals(same)


@pytest.mark.parametrize(
    ("accuracies", "best"),
    [([0.1, 0.3, 0.2, 0.3, 0.25], 1), ([0.1, 0.2, 0.2, 0.3, 0.3], 3), ([0.5, 0.4, 0.5, 0.1, 0.1], 0)],
    ids=str,
)
def test_of_equally_good_epochs_the_first(accuracies, best, data_directory, tmp_path, monkeypatch) -> None:
    rehearse(monkeypatch, accuracies)

    class Notes(pl.Callback):
        """The weights at the end of each epoch."""

        def __init__(self):
            self.weights = []

        def on_train_epoch_end(self, trainer, pl_module):
            self.weights.append({name: value.clone() for name, value in pl_module.state_dict().items()})

    config = small(data_directory, tmp_path, "scheme=baseline", "recipe.epochs=5")
    chain = Chain(open_experiment(config))
    task = chain.predictor.task()
    notes = Notes()
    record = fit(
        task, chain.run.data, settings=chain.experiment.trainer, directory=tmp_path, logger=None, callbacks=[notes]
    )
    assert record["best_epoch"] == best
    equal = [all(torch.equal(value, kept[name]) for name, value in task.state_dict().items()) for kept in notes.weights]
    assert equal == [epoch == best for epoch in range(5)]
