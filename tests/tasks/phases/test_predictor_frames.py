"""Which map goes with which image, and in whose frame, from the data to what the network is shown."""

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from composing import TEST, TRAIN, small
from probing import Probe, clustered
from torch.nn.functional import max_pool2d
from torch.utils.data import DataLoader

from fer_perturb.data.loading.batches import Batches
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.perturb.clusters import cluster_maps_per_image
from fer_perturb.schemes.regions.displaced import other_image
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.phases.cluster_mask_callback import ClusterMaskCallback
from fer_perturb.tasks.training.trainer import make_trainer

STEP = 40  # an image that shows its map: label -1 is this grey value, each next label this much lighter
FILL = 255


def patchwork(*shape: int, seed: int = 0) -> torch.Tensor:
    """Maps (..., 48, 48) of 6x6-pixel patches with labels 0..2, and -1 all around, none like its own mirror image.

    What comes in from outside continues the images' edge and is never masked: the edge shows just that.
    """
    patches = torch.randint(0, 3, (*shape, 8, 8), generator=torch.Generator().manual_seed(seed))
    patches[..., 0, :] = patches[..., -1, :] = patches[..., :, 0] = patches[..., :, -1] = -1
    return patches.repeat_interleave(6, -1).repeat_interleave(6, -2).to(torch.int8)


def showing(maps: torch.Tensor) -> torch.Tensor:
    """Images uint8 (B, 1, H, W) that show their maps (B, H, W)."""
    return ((maps.long() + 2) * STEP).to(torch.uint8).unsqueeze(1)


def read_off(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The labels that augmented images (B, 1, h, w) show, (B, h, w), and where they can be read beyond doubt.

    Bilinear interpolation blends neighbours, so only where a pixel and all of its neighbours are alike.
    """
    grey = images * 255
    spread = max_pool2d(grey, 3, 1, 1) + max_pool2d(-grey, 3, 1, 1)
    return (grey / STEP).round().squeeze(1).long() - 2, (spread < 1e-2).squeeze(1)


@pytest.fixture
def build(data_directory, tmp_path):
    """A predictor whose network keeps what it is shown, and its data."""

    def predictor(*overrides):
        config = small(data_directory, tmp_path, *overrides)
        chain = Chain(open_experiment(config))
        task = chain.predictor.task()
        task.network = Probe()
        task.log = lambda *args, **kwargs: None
        return task, chain.run.data

    return predictor


def grey(task, images):
    """What the network saw, as grey values in [0, 1]."""
    return images * task.std + task.mean


def filled(task, images):
    """Where the network saw the fill: bool (..., h, w)."""
    return (grey(task, images).squeeze(-3) - FILL / 255).abs() < 1e-4


def of_scope(scope, moved):
    """The scheme with real maps, or with moved ones."""
    return [f"scheme={'moved_maps' if moved else 'perturb'}", f"scheme/regions={scope}"]


GEOMETRY_ALONE = (
    "recipe.augmentation.jitter=0",
    "recipe.augmentation.rotate=20",
    "recipe.augmentation.shift=0.15",
    "recipe.augmentation.erase=0",
    f"scheme.views.fill={FILL}",
)


@pytest.mark.parametrize("crop", [None, 40], ids=["whole", "crops"])
@pytest.mark.parametrize("views", ["all", "sample"])
@pytest.mark.parametrize("moved", [False, True], ids=["real", "moved"])
@pytest.mark.parametrize("scope", ["dataset", "image"])
def test_in_training_a_map_is_warped_with_its_image(build, scope, moved, views, crop):
    """The images show the maps they must wear, so what is hidden can be checked against what is seen."""
    overrides = [*of_scope(scope, moved), f"scheme/views={views}"]
    task, _ = build(*overrides, *GEOMETRY_ALONE, *([f"recipe.crop={crop}"] if crop else []))
    index = torch.randperm(TRAIN, generator=torch.Generator().manual_seed(1))[:32]
    if scope == "dataset":
        task.region_state.cluster_map.copy_(patchwork())
        worn = task.region_state.cluster_map.expand(32, -1, -1)
        worn = worn[:, np.arange(47, -1, -1)] if moved else worn
    else:
        task.region_state.maps_of = {"train": patchwork(TRAIN)}
        worn = task.region_state.maps_of["train"][(index + TRAIN // 2) % TRAIN if moved else index]
    batch = {"image": showing(worn), "label": torch.zeros(32, dtype=torch.int64), "index": index}

    torch.manual_seed(0)
    task.training_step(batch, 0)
    (seen,) = task.network.seen
    torch.manual_seed(0)
    images, _ = task.augmentation(batch["image"])
    count = len(images)
    assert count == (32 if crop is None else 160)
    labels, certain = read_off(images)
    assert certain.float().mean() > 0.3
    if crop is None:
        assert ((labels != worn) & certain).sum() > 0.2 * certain.sum()  # left as it is, a map would be wrong

    hidden = filled(task, seen)
    if views == "all":
        assert torch.allclose(grey(task, seen[-count:]), images, atol=1e-5)
        for view, where in enumerate(hidden.unflatten(0, (4, count))):
            assert torch.equal(where[certain], (labels == view)[certain])  # view 3, the image, hides nothing
    else:
        fits = torch.stack([((hidden == (labels == view)) | ~certain).all(dim=(1, 2)) for view in range(4)])
        assert fits.any(dim=0).all()  # each image hides one cluster, all of it, or none
        assert fits.any(dim=1).all()  # and none is never chosen


@pytest.mark.parametrize("moved", [False, True], ids=["real", "moved"])
def test_the_map_of_a_batch_is_not_warped_but_may_be_upside_down(build, moved):
    task, _ = build(f"scheme={'moved_maps' if moved else 'perturb'}", f"scheme.views.fill={FILL}", "recipe.tta=flip")
    assert task.regions.frame == "input"
    task.region_state.cluster_map.copy_(patchwork())
    rows = np.arange(47, -1, -1) if moved else np.arange(48)
    expected = patchwork()[rows]
    dark = torch.full((32, 1, 48, 48), 100, dtype=torch.uint8)  # nothing in it looks like the fill
    batch = {"image": dark, "label": torch.zeros(32, dtype=torch.int64), "index": torch.arange(32)}
    task.training_step(batch, 0)
    for view, where in enumerate(filled(task, task.network.seen.pop()).unflatten(0, (4, 32))):
        assert torch.equal(where, (expected == view).expand(32, -1, -1))
    task.evaluate(batch, "flip")
    assert len(task.network.seen) == 2 * 4
    for number, seen in enumerate(task.network.seen):
        assert torch.equal(filled(task, seen), (expected == number % 4).expand(32, -1, -1))


@pytest.mark.parametrize("moved", [False, True], ids=["real", "moved"])
def test_the_map_of_the_data_set_in_testing(build, moved):
    task, _ = build(*of_scope("dataset", moved), f"scheme.views.fill={FILL}")
    task.region_state.cluster_map.copy_(patchwork())
    expected = patchwork()[np.arange(47, -1, -1)] if moved else patchwork()
    dark = torch.full((5, 1, 48, 48), 100, dtype=torch.uint8)
    task.evaluate({"image": dark, "label": torch.zeros(5), "index": torch.arange(5)}, "flip")
    for number, seen in enumerate(task.network.seen):
        there = expected if number < 4 else expected.flip(-1)  # the mirror image wears the mirrored map
        assert torch.equal(filled(task, seen), (there == number % 4).expand(5, -1, -1))


def test_training_images_wear_their_own_maps_in_the_order_of_the_batch(build):
    task, data = build("scheme=perturb_image")
    task.region_state.maps_of = {"train": patchwork(TRAIN)}
    index = data.first_batch(0)["index"]
    assert not torch.equal(index, index.sort().values)
    maps = task.regions.maps({"index": index}, task.region_state)
    assert maps.dtype == torch.int8
    assert all(
        torch.equal(own, task.region_state.maps_of["train"][row]) for own, row in zip(maps, index.tolist(), strict=True)
    )


def test_as_a_control_images_wear_another_training_image_s_map(build, tmp_path):
    attention = np.random.default_rng(0).random((TRAIN, 48, 48)).astype(np.float16)
    np.save(tmp_path / "attention_per_image.npy", attention)
    task, _ = build("scheme=moved_maps", "scheme/regions=image")
    task.sight.stored = tmp_path
    state, regions = task.region_state, task.regions
    state.centres.copy_(torch.tensor([[0.3, 0.3, 0.6], [1.2, 0.4, 0.6], [0.75, 1.2, 0.6]]))
    state.maps_of = {"train": cluster_maps_per_image(torch.from_numpy(attention), regions.of, state.centres)}
    index = torch.tensor([5, 0, 63])
    others = other_image(index, TRAIN)
    assert (others != index).all()
    expected = state.maps_of["train"][others]
    batch = {"image": torch.zeros(3, 1, 48, 48, dtype=torch.uint8), "label": torch.zeros(3), "index": index}
    assert torch.equal(regions.maps(batch, state), expected)
    assert torch.equal(task.tested_maps(batch), expected)  # a test image wears a training image's as well


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@pytest.mark.parametrize(
    "overrides",
    [
        ["scheme/regions=batch"],
        ["scheme/regions=dataset"],
        ["scheme/regions=image"],
        ["scheme=moved_maps", "scheme/regions=image"],
    ],
    ids=" ".join,
)
def test_what_an_image_gets_does_not_depend_on_its_batch(data_directory, outputs, overrides):
    """DESIGN, decision 6."""
    _, chain, task, _ = clustered(data_directory, outputs, *overrides, "recipe.tta=flip")
    split = chain.experiment.data.splits["test"]
    trainer = make_trainer(chain.experiment.trainer, chain.experiment.recipe, outputs, None)

    def logits(*batches):
        loader = DataLoader(Batches(split), sampler=[np.array(rows) for rows in batches], batch_size=None)
        return torch.cat(trainer.predict(task, loader), dim=2)  # (T, V, B, classes)

    together = logits(range(TEST))
    assert together.shape == (2, 4, TEST, 7)
    spread = together.std(dim=2).min()
    assert spread > 1e-3  # between images, in each crop, view and class
    tolerance = 0.02 * float(spread)
    assert torch.allclose(logits(range(TEST)[::-1]).flip(2), together, atol=tolerance, rtol=0)
    assert torch.allclose(logits(*[[row] for row in range(12)]), together[:, :, :12], atol=tolerance, rtol=0)
    assert torch.allclose(logits([7] * 5), together[:, :, [7] * 5], atol=tolerance, rtol=0)


class Input(pl.Callback):
    """The network's input at the first step of each epoch."""

    def __init__(self):
        self.first_of_epoch = []
        self.wanted = False

    def on_fit_start(self, trainer, pl_module):
        pl_module.network.register_forward_pre_hook(self.note)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.wanted = batch_idx == 0

    def note(self, network, arguments):
        if self.wanted:
            self.first_of_epoch.append(arguments[0].detach().clone())
            self.wanted = False


@pytest.mark.parametrize(
    "overrides",
    [
        ["scheme/attention=phase_one"],
        ["scheme/attention=phase_one", "recipe.crop=40"],
        ["scheme/attention=own_gates", "model.attention.at=[stage1]"],
    ],
    ids=" ".join,
)
def test_the_attention_of_a_batch_is_on_the_very_pixels_of_its_training_step(data_directory, outputs, overrides):
    overrides = [*overrides, "recipe.augmentation.erase=0.5", "recipe.batch_size=16"]
    _, chain, task, made = clustered(data_directory, outputs, "scheme/regions=batch", *overrides)
    attended, classifier = [], task.sight.classifier
    attention = classifier.attention

    def noting(images):
        attended.append(images.detach().clone())
        return attention(images)

    classifier.attention = noting
    watch = Input()
    trainer = make_trainer(chain.experiment.trainer, task.recipe, outputs, None, [ClusterMaskCallback(made), watch])
    trainer.fit(task, chain.run.data)

    assert len(watch.first_of_epoch) == 2
    assert len(attended) == (1 if made else 2)  # phase 2 has looked at the first epoch's batch
    count = 16 if chain.experiment.recipe.crop is None else 5 * 16
    for images, seen in zip(attended, watch.first_of_epoch[-len(attended) :], strict=True):
        assert len(images) == count
        assert len(seen) == 4 * count
        assert torch.equal(task.normalise(images), seen[-count:])  # the last view is the image
    first, second = (seen[-count:] for seen in watch.first_of_epoch)
    assert not torch.allclose(first, second, atol=0.1)
    if made:
        with torch.no_grad():
            _, maps = classifier.network.forward_with_attention(first)
        stored = torch.from_numpy(np.load(task.sight.stored / "attention.npy"))
        assert torch.allclose(stored, maps.sum(dim=0), rtol=1e-4)
