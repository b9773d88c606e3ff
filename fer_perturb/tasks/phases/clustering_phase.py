"""Phase 2: the pixels are clustered by position and attention, before the predictor's first epoch."""

import time
from pathlib import Path
from typing import Any, ClassVar

from fer_perturb.data.augmentation.augment import Augmentation
from fer_perturb.experiment.cost import looking
from fer_perturb.runs.phase_cache import content_key
from fer_perturb.tasks.phases.attention_clustering import VERSION, AttentionClustering
from fer_perturb.tasks.phases.attention_phase import AttentionPhase
from fer_perturb.tasks.phases.cluster_mask_callback import numbers_of
from fer_perturb.tasks.phases.phase import Phase, Run
from fer_perturb.tasks.phases.sight import RunAttention
from fer_perturb.tasks.training.loggers import phase_logger
from fer_perturb.tasks.training.trainer import make_trainer

KEPT = ("inertia", "ari_position_only")  # of what there is to say of clusters, in the phase's own record


class ClusteringPhase(Phase):
    """Stores the attention, where that is the same in each epoch, and the regions of epoch 0. attention: phase 1."""

    name: ClassVar[str] = "clustering"
    title = "Phase 2, clustering"
    together = False

    def __init__(self, run: Run, attention: AttentionPhase | None) -> None:
        super().__init__(run)
        self.attention = attention

    def content(self) -> dict[str, Any]:
        scheme = self.experiment.scheme
        assert scheme.attention is not None
        assert scheme.regions is not None
        if self.attention:
            looked = {"phase 1": content_key(self.attention.content())}
        else:  # nobody's attention depends on the images and on how they are augmented
            looked = self.experiment.content(0, None)
        parts = {"attention": scheme.attention.identity(), "regions": scheme.regions.identity()}
        return {**looked, **parts, "version": VERSION, "seed": self.experiment.seed}

    def work(self, directory: Path) -> dict[str, Any]:
        started, recipe, size = time.perf_counter(), self.experiment.recipe, self.experiment.data.image_size
        regions = self.experiment.scheme.regions
        assert regions is not None
        state = regions.state(size, recipe.input_size(size))
        sight = run_attention(self.run, self.attention, None)
        augmentation = Augmentation(recipe.augmentation, recipe.crop)
        task = AttentionClustering(regions, state, sight, augmentation, directory, self.experiment.seed)
        with phase_logger(self.experiment, self.name) as logger:
            trainer = make_trainer(self.run.alone, recipe, directory, logger)
            trainer.predict(task, task.predict_dataloader(), return_predictions=False)
            logger.log_metrics({**numbers_of(task.record), "epoch": 0}, step=0)
            logger.save()  # Lightning has finished with the logger before this
        network = sight.classifier.network if sight.classifier else None
        cost = looking(network, self.experiment.scheme, recipe, size, task.looked_at)
        seconds = time.perf_counter() - started
        found = {key: task.record[key] for key in KEPT if key in task.record}
        return {"seconds": seconds, "passes": task.looked_at, "flops": cost.flops, "regions": task.record, **found}


def run_attention(run: Run, attention: AttentionPhase | None, clustering: ClusteringPhase | None) -> RunAttention:
    """Where the scheme looks, as far as phases 1 and 2 have come."""
    frozen = attention.frozen() if attention else None
    stored = clustering.finish().directory if clustering else None
    return RunAttention(run.experiment.scheme.attention, run.data, frozen, stored)
