"""What the callback gives the predictor, and what it leaves alone."""

import json
from dataclasses import dataclass
from itertools import pairwise

import pytest
import pytorch_lightning as pl
import torch
from composing import BATCH, TRAIN, VAL, small
from probing import clustered

from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.perturb.clusters import cluster_maps_per_image
from fer_perturb.perturb.identity import match
from fer_perturb.schemes.regions.batch_clusters import BatchClusters
from fer_perturb.schemes.regions.regions import Regions
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.phases.cluster_mask_callback import ClusterMaskCallback
from fer_perturb.tasks.training.trainer import make_trainer
from fer_perturb.train import train

pytestmark = pytest.mark.slow


class Spy(pl.Callback):
    """Notes at the start of each epoch all that the callback must leave as it was."""

    def __init__(self):
        self.seen = []

    def on_train_epoch_start(self, trainer, pl_module):
        modes = [module.training for module in pl_module.modules()]
        statistics = {
            name: value.clone() for name, value in pl_module.network.state_dict().items() if "running" in name
        }
        gradients = [p.grad is None or p.grad.clone() for p in pl_module.parameters()]
        centres = pl_module.region_state.centres.clone()
        self.seen.append((torch.get_rng_state(), modes, statistics, gradients, centres))


def run(data, outputs, *overrides):
    """Two epochs of phase 3 with a spy before and one after the callback."""
    _, chain, task, made = clustered(data, outputs, *overrides)
    callback, before, after = ClusterMaskCallback(made), Spy(), Spy()
    trainer = make_trainer(chain.experiment.trainer, task.recipe, outputs, None, [before, callback, after])
    trainer.fit(task, chain.run.data)
    return chain, task, callback, before, after


@pytest.mark.parametrize(
    "overrides",
    [
        ["scheme=perturb"],
        ["scheme=perturb_image", "scheme.regions.init=random"],
        ["scheme=perturb", "scheme/regions=dataset", "scheme/attention=own_gates", "model.attention.at=[stage1]"],
    ],
    ids=" ".join,
)
def test_it_leaves_no_trace(overrides, data_directory, tmp_path):
    _, _, callback, before, after = run(data_directory, tmp_path, *overrides)
    assert [record["epoch"] for record in callback.history] == [0, 1]
    assert len(before.seen) == len(after.seen) == 2
    for (rng, modes, statistics, gradients, _), (rng_2, modes_2, statistics_2, gradients_2, _) in zip(
        before.seen, after.seen, strict=True
    ):
        assert torch.equal(rng, rng_2)
        assert modes == modes_2
        assert all(torch.equal(statistics[name], statistics_2[name]) for name in statistics)
        assert all(a is b is True or torch.equal(a, b) for a, b in zip(gradients, gradients_2, strict=True))


def test_every_second_epoch(data_directory, tmp_path):
    _, _, callback, *_ = run(
        data_directory, tmp_path, "scheme=perturb", "scheme.regions.every_n_epochs=2", "recipe.epochs=4"
    )
    assert [record["epoch"] for record in callback.history] == [0, 2]


def test_a_warm_start_on_unchanged_attention_hardly_moves(data_directory, tmp_path):
    overrides = ["scheme=perturb", "scheme/regions=dataset", "scheme.regions.init=previous", "recipe.epochs=4"]
    _, _, callback, *_ = run(data_directory, tmp_path, *overrides)
    assert callback.history[-1]["changed"] < 0.02


def test_labels_keep_their_place_from_epoch_to_epoch(data_directory, tmp_path):
    """Random starts find the clusters in any order; each keeps the label of the one it is nearest to."""
    overrides = ["scheme=perturb", "scheme/regions=dataset", "scheme.regions.restarts=1", "recipe.epochs=5"]
    _, _, callback, _, after = run(data_directory, tmp_path, *overrides)
    centres = [seen[4] for seen in after.seen]
    assert len({record["inertia"] for record in callback.history}) > 1  # the starts differed
    for previous, current in pairwise(centres):
        assert match(current, previous).tolist() == [0, 1, 2]


def test_maps_per_image_follow_from_the_centres(data_directory, tmp_path):
    _, task, *_ = run(data_directory, tmp_path, "scheme=perturb_image")
    stored, state = task.sight.of_training_images(slice(0, TRAIN)), task.region_state
    expected = cluster_maps_per_image(stored, task.regions, state.centres)
    assert torch.equal(state.maps_of["train"], expected)
    assert state.maps_of["val"].shape == (VAL, 48, 48)
    assert len({tuple(labels.flatten().tolist()) for labels in expected[:20]}) > 1  # each image its own


def test_what_phase_2_has_made_is_not_made_again(data_directory, tmp_path, monkeypatch):
    """The clusters of epoch 0 are phase 2's; the callback makes those of epoch 1."""
    made = []
    update = BatchClusters.update

    def noting(regions, state, sight, *rest):
        made.append((sight.epoch, type(sight.data.trainer).__name__))
        return update(regions, state, sight, *rest)

    monkeypatch.setattr(BatchClusters, "update", noting)
    _, _, callback, *_ = run(data_directory, tmp_path, "scheme=perturb")
    assert [epoch for epoch, _ in made] == [0, 1]
    assert [record["epoch"] for record in callback.history] == [0, 1]
    assert [record["attention_passes"] for record in callback.history] == [0, BATCH]


def test_the_map_of_a_batch_is_that_of_the_batch_trained_on(data_directory, tmp_path):
    """A map per batch: the images whose attention is summed are the very ones of the epoch's first step."""
    seen = []

    class Watch(pl.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if batch_idx == 0:
                seen.append(batch["index"].clone())

    chain = Chain(open_experiment(small(data_directory, tmp_path, "scheme=baseline")))
    task = chain.predictor.task()
    trainer = make_trainer(chain.experiment.trainer, task.recipe, tmp_path, None, [Watch()])
    trainer.fit(task, chain.run.data)
    assert torch.equal(seen[1], chain.run.data.first_batch(1)["index"])


@dataclass(frozen=True)
class LaterRows(Regions):
    """Anybody's regions: the rows from the epoch's number on. They are made anew, and say nothing of clusters."""

    @property
    def n(self):
        return 1

    def state(self, image_size, input_size):
        state = torch.nn.Module()
        state.register_buffer("start", torch.zeros(()))
        return state

    def should_update(self, epoch):
        return True

    def update(self, state, sight):
        state.start.fill_(sight.epoch)
        return {}

    def maps(self, batch, state):
        rows = torch.arange(batch["image"].shape[-2])[:, None].expand(batch["image"].shape[-2:])
        return ((rows >= state.start).to(torch.int8) - 1).expand(len(batch["image"]), -1, -1)


def test_anybody_s_regions_are_made_anew(data_directory, tmp_path):
    given = ["scheme=landmarks", "scheme.name=later_rows", f"scheme.regions._target_={__name__}.LaterRows"]
    run, summary = train(small(data_directory, tmp_path, *given))
    record = json.loads((run / "predictor" / "phase.json").read_text())
    assert [entry["epoch"] for entry in record["clusters"]] == [0, 1]
    assert summary["phases"]["clustering"]["reclusterings"] == 2
    assert summary["phases"]["clustering"]["inertia"] is None
