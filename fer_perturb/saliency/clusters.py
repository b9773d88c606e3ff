"""What a run's clusters are: which facial features they hold, how they change over epochs, and what position gives."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fer_perturb.data.loading.batches import Batch
from fer_perturb.perturb.clusters import agreement, position_only_map
from fer_perturb.perturb.frames import decode, encode
from fer_perturb.perturb.views import masks
from fer_perturb.saliency.faces import Faces
from fer_perturb.saliency.regions import PARTS
from fer_perturb.saliency.resampling import Interval, Resampling, intervals
from fer_perturb.schemes.regions.clusters import Clusters, ClusterState
from fer_perturb.schemes.regions.regions import Regions
from fer_perturb.seeds import derive
from fer_perturb.tasks.phases.attention_clustering import load_state
from fer_perturb.tasks.phases.predictor import Predictor
from fer_perturb.tasks.phases.sight import EpochAttention
from fer_perturb.tasks.trained_run import TrainedRun
from fer_perturb.tasks.training.trainer import make_trainer

TESTED = "tested"  # the maps that the network is tested with, those of its best epoch
POSITION = "position alone"


@dataclass(frozen=True, eq=False)
class Maps:
    """Cluster maps int8 (h, w), of all faces alike, or (N, h, w): of an epoch (from 0), TESTED, or POSITION."""

    when: int | str
    labels: Tensor
    n: int

    def of_each(self, count: int) -> Tensor:
        """int8 (N, h, w)."""
        return self.labels.expand(count, *self.labels.shape[-2:])

    def of_some(self, rows: Tensor) -> "Maps":
        """Of some of the faces."""
        return self if self.labels.ndim == 2 else replace(self, labels=self.labels[rows])


def maps_of(run: TrainedRun, faces: Faces) -> list[Maps]:
    """The maps of each epoch, those that the network is tested with, and next to these what positions alone give.

    A run keeps the last maps alone. Those of earlier epochs follow from its seed and its frozen phase 1, and are made
    again; where attention follows the predictor, or each image has its own map, there are those of its test alone.
    None where it has no clusters.
    """
    task = run.predictor
    if not isinstance(task, Predictor) or not isinstance(task.region_state, ClusterState):
        return []
    regions, settings = task.regions, _settings(task.regions)
    assert settings is not None
    _, tested = task.test_inputs(faces.batch)
    own = tested.cpu() if regions.of_each_image else tested[0].cpu()
    earlier = [] if task.sight.follows_predictor or regions.of_each_image else list(_replayed(run, task, faces.batch))
    return [*earlier, Maps(TESTED, own, regions.n), Maps(POSITION, _by_position(task, settings), settings.n_clusters)]


def _settings(regions: Regions) -> Clusters | None:
    found = getattr(regions, "of", regions)  # a control's clusters
    return found if isinstance(found, Clusters) else None


def _by_position(task: Predictor, settings: Clusters) -> Tensor:
    """int8 (h, w): the layout of positions alone next to the run's own clusters, as a network's input shows it."""
    assert isinstance(task.region_state, ClusterState)
    height, width = task.region_state.cluster_map.shape[-2:]
    seed = derive(task.seed, "position only")
    found = position_only_map((height, width), settings, seed=seed, start=task.region_state.centres)
    if task.regions.frame == "input":
        return found.labels
    return decode(task.crops(encode(found.labels), "none")[0])[0]


def _replayed(run: TrainedRun, task: Predictor, batch: Batch) -> Iterator[Maps]:
    """Of one map for all images, epoch by epoch, as training has made them."""
    recipe, regions = run.experiment.recipe, task.regions
    size = run.experiment.data.image_size
    state = regions.state(size, recipe.input_size(size))
    load_state(run.directory / "clustering", state)
    trainer = make_trainer(run.chain.run.alone, recipe, run.directory, None)
    stood, task.region_state = task.region_state, state
    try:
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            for epoch in range(run.summary["phases"]["predictor"]["epochs"]):
                sight = EpochAttention(
                    task.sight, task.augmentation, epoch=epoch, seed=task.seed, device=task.device, quiet=True
                )
                if epoch and regions.should_update(epoch):
                    regions.update(state, sight)
                _, maps = task.test_inputs({**batch, "index": batch["index"][:1], "image": batch["image"][:1]})
                yield Maps(epoch, maps[0].cpu().clone(), regions.n)
    finally:
        task.region_state = stood


def overlaps(maps: Maps, parts: Tensor) -> dict[str, list[list[Interval]]]:
    """Of each cluster (rows) and each facial part, bool (N, P, h, w) (columns), over the faces:

    share: how much of the part lies in the cluster; iou: of the pixels of either, how many are both's.
    """
    clusters = masks(maps.of_each(len(parts)), maps.n)  # (N, n, h, w)
    both = torch.einsum("nchw,nphw->ncp", clusters.float(), parts.float())
    of_part = parts.sum(dim=(2, 3))[:, None].float().expand_as(both)
    either = clusters.sum(dim=(2, 3))[..., None] + of_part - both
    draws = Resampling(np.zeros(len(parts), dtype=np.int64), 1)
    found = {}
    for name, under in (("share", of_part), ("iou", either)):
        flat = [value.flatten(1).double().numpy()[None] for value in (both, under)]
        each = intervals(draws.ratios(*flat))
        columns = parts.shape[1]
        found[name] = [each[row : row + columns] for row in range(0, len(each), columns)]
    return found


def two_eyes_and_a_mouth(maps: Maps, parts: Tensor, left: Tensor) -> Interval:
    """Of how many faces most of either eye lies in a cluster of its own, and most of mouth and of nose in a third one.

    The paper's "two clusters targeting the eyes and one focusing on the mouth and nose region" (section 5.1). parts:
    bool (N, 5, h, w); left: bool (N, h, w), what lies left of the face's middle.
    """
    eyes, nose, mouth = (parts[:, PARTS.index(name)] for name in ("eyes", "nose", "mouth"))
    sought = torch.stack([eyes & left, eyes & ~left, mouth, nose], dim=1)
    clusters = masks(maps.of_each(len(parts)), maps.n)
    held = torch.einsum("nchw,nphw->npc", clusters.float(), sought.float())
    most, which = held.max(dim=2)
    left, right, low, nose_in = which.unbind(dim=1)
    apart = (left != right) & (left != low) & (right != low) & (low == nose_in)
    mostly = (most > 0.5 * sought.sum(dim=(2, 3))).all(dim=1)
    there = sought.flatten(2).any(dim=2).all(dim=1)
    holds = torch.where(there, (apart & mostly).double(), torch.nan).numpy()[None, :, None]
    draws = Resampling(np.zeros(len(parts), dtype=np.int64), 1)
    return intervals(draws.ratios(holds, np.ones_like(holds)))[0]


def stability(maps: list[Maps]) -> dict[str, float]:
    """Adjusted Rand indices of the tested maps: with the maps of each epoch, and with those of positions alone.

    Of maps per image their mean over the images.
    """
    named = {of.when: of for of in maps}
    tested = named[TESTED].labels
    return {str(of.when): mean_agreement(tested, of.labels) for of in maps if of.when != TESTED}


def mean_agreement(one: Tensor, other: Tensor) -> float:
    """The adjusted Rand index of two maps (h, w), or its mean over the images of (N, h, w)."""
    if one.ndim == other.ndim == 2:
        return agreement(one, other)
    count = len(one) if one.ndim == 3 else len(other)
    pairs = zip(one.expand(count, *one.shape[-2:]), other.expand(count, *other.shape[-2:]), strict=True)
    return float(np.mean([agreement(a, b) for a, b in pairs]))
