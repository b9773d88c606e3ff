"""The clusters, and with them the masks, are computed again at the start of each epoch."""

import time
from typing import Any

import pytorch_lightning as pl

from fer_perturb.processes import share_buffers
from fer_perturb.schemes.regions.regions import Record
from fer_perturb.tasks.phases.predictor import Predictor
from fer_perturb.tasks.phases.sight import EpochAttention, undisturbed


class ClusterMaskCallback(pl.Callback):
    """Recomputes the predictor's cluster maps with faiss k-means, whenever its regions say that they `should_update`.

    The random stream, the training modes and the gradients are left as they were. `history` holds, for each
    re-clustering, its epoch, inertia, areas, agreement with the position-only map, share of pixels that changed their
    cluster, images whose attention was computed (`attention_passes`), and seconds.

    made: what phase 2 recorded of the clusters of epoch 0, which it has made.
    """

    def __init__(self, made: Record | None = None) -> None:
        self.history: list[Record] = [] if made is None else [made]

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = state_dict["history"]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Predictor)
        predictor, epoch, started = pl_module, trainer.current_epoch, time.perf_counter()
        regions, state = predictor.regions, predictor.region_state
        share_buffers(predictor)  # several processes look with the same network, and see the same
        due = regions.should_update(epoch)
        with undisturbed(trainer, predictor):
            sight = EpochAttention(
                predictor.sight,
                predictor.augmentation,
                epoch=epoch,
                seed=predictor.seed,
                device=predictor.device,
                together=True,
                quiet=not trainer.progress_bar_callback,
            )
            if due and not (self.history and self.history[-1]["epoch"] == epoch):
                self.history.append({"epoch": epoch, **regions.update(state, sight)})
            finished = regions.finish(state, sight)
        if due:
            looked = {"attention_passes": sight.looked_at, "seconds": time.perf_counter() - started}
            self.history[-1] = {**self.history[-1], **finished, **looked}
            predictor.log_dict(numbers_of(self.history[-1]), on_step=False, on_epoch=True, sync_dist=True)


def numbers_of(record: Record) -> dict[str, float]:
    """What is logged of a re-clustering."""
    named = ("inertia", "ari_position_only", "changed", "seconds")
    values = {f"clusters/{key}": record[key] for key in named if key in record}
    values |= {f"clusters/area_{label}": area for label, area in enumerate(record.get("areas", []))}
    return {key: float(value) for key, value in values.items()}
