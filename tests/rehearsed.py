"""Trainings whose scores on val are known beforehand, so that no test depends on how one happens to go."""

from collections.abc import Sequence
from typing import Any

import pytest

from fer_perturb.tasks.training import trainer
from fer_perturb.tasks.training.classifier import Classifier

REHEARSED = "val/rehearsed"


def rehearse(monkeypatch: pytest.MonkeyPatch, scores: Sequence[float]) -> None:
    """Checkpoints are chosen by `scores`, one for each epoch; what is measured on val is logged as ever."""
    measure = Classifier.validation_step

    def validation_step(task: Classifier, batch: Any, batch_idx: int) -> None:
        measure(task, batch, batch_idx)
        task.log(REHEARSED, scores[task.current_epoch], batch_size=1, on_epoch=True)

    monkeypatch.setattr(Classifier, "validation_step", validation_step)
    monkeypatch.setattr(trainer, "MONITOR", REHEARSED)
