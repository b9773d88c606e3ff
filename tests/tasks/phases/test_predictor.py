"""Maps go where their images go."""

import pytest
import torch
from composing import BATCH, TEST, TRAIN, small
from probing import Probe

from fer_perturb.data.loading.batches import in_order
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.tasks.chain import Chain


@pytest.fixture
def build(data_directory, tmp_path):
    def predictor(*overrides):
        config = small(data_directory, tmp_path, *overrides)
        chain = Chain(open_experiment(config))
        task = chain.predictor.task()
        task.network = Probe()
        task.log = lambda *args, **kwargs: None
        state = task.region_state
        height, width = state.cluster_map.shape
        state.cluster_map.copy_(torch.arange(height * width).view(height, width) % 3)  # a map without any symmetry
        return task, chain.run.data

    return predictor


def grey(task, images):
    """What the network saw, as grey values in [0, 1]."""
    return images * task.std + task.mean


def test_in_testing_a_map_of_the_data_set_is_flipped_with_its_image(build):
    task, data = build("scheme/regions=dataset", "recipe.tta=flip")
    batch = next(iter(in_order(data.packed.splits["test"])))
    logits = task.evaluate(batch, "flip")
    assert logits.shape == (2, 4, TEST, 7)
    plain, mirrored = task.network.seen[:4], task.network.seen[4:]
    for view, other in zip(plain, mirrored, strict=True):
        assert torch.allclose(view, other.flip(-1), atol=1e-6)


def test_in_testing_a_map_of_the_batch_stays_in_the_frame_of_the_input(build):
    task, data = build("scheme/regions=batch", "recipe.tta=flip")
    batch = next(iter(in_order(data.packed.splits["test"])))
    task.evaluate(batch, "flip")
    for view in (0, 1, 2):
        for seen in (task.network.seen[view], task.network.seen[4 + view]):
            assert grey(task, seen)[:, 0, task.region_state.cluster_map == view].abs().max() < 1e-6


def test_the_last_view_is_the_image(build):
    task, data = build("scheme/regions=dataset")
    batch = next(iter(in_order(data.packed.splits["test"])))
    task.evaluate(batch, "none")
    assert torch.allclose(grey(task, task.network.seen[-1]), batch["image"] / 255, atol=1e-6)


@pytest.mark.parametrize("scope", ["batch", "dataset"])
def test_all_views_of_a_step(build, scope):
    task, data = build(f"scheme/regions={scope}", "scheme.views.fill=255")
    batch = data.first_batch(0)
    torch.manual_seed(0)
    task.training_step(batch, 0)
    (seen,) = task.network.seen
    views = grey(task, seen).unflatten(0, (4, BATCH))
    torch.manual_seed(0)
    images, _ = task.augmentation(batch["image"])
    assert torch.allclose(views[3], images, atol=1e-5)
    hidden = (views[:3] - views[3]).abs() > 1e-5
    assert (hidden.sum(dim=0) <= 1).all()  # a pixel is hidden in one view at most
    assert hidden.any(dim=(1, 2, 3, 4)).all()
    if scope == "batch":
        for view in range(3):
            assert (views[view][:, 0, task.region_state.cluster_map == view] - 1).abs().max() < 1e-5


def test_sampled_views_are_drawn_per_image(build):
    task, data = build(
        "scheme/regions=batch", "scheme/views=sample", "recipe.augmentation.flip=0", "recipe.batch_size=32"
    )
    torch.manual_seed(0)
    task.training_step(data.first_batch(0), 0)
    seen = grey(task, task.network.seen[0])
    hidden = torch.stack(
        [(seen[:, 0, task.region_state.cluster_map == view].abs() < 1e-6).all(dim=1) for view in range(3)]
    )
    assert (hidden.sum(dim=0) <= 1).all()
    assert hidden.any(dim=1).all()  # each cluster somewhere in the batch
    assert (~hidden.any(dim=0)).any()  # and some images whole


def test_moved_maps_are_the_real_ones_upside_down(build):
    real, _ = build("scheme=perturb")
    moved, _ = build("scheme=moved_maps")
    batch = {"index": torch.arange(2)}
    maps = [task.regions.maps(batch, task.region_state) for task in (moved, real)]
    assert torch.equal(maps[0], maps[1].flip(1))


@pytest.mark.parametrize("scope", ["batch", "dataset", "image"])
@pytest.mark.parametrize("views", ["all", "sample"])
def test_copies_hide_nothing(build, scope, views):
    task, data = build("scheme=copies", f"scheme/regions={scope}", f"scheme/views={views}")
    if scope == "image":
        task.region_state.maps_of = {"train": torch.zeros(TRAIN, 48, 48, dtype=torch.int8)}
    batch = data.first_batch(0)
    torch.manual_seed(0)
    task.training_step(batch, 0)
    torch.manual_seed(0)
    images, _ = task.augmentation(batch["image"])
    versions = 4 if views == "all" else 1
    assert torch.allclose(grey(task, task.network.seen[0]), images.repeat(versions, 1, 1, 1), atol=1e-5)
    task.network.seen.clear()
    task.evaluate(next(iter(in_order(data.packed.splits["test"]))), "none")
    assert all(torch.equal(view, task.network.seen[-1]) for view in task.network.seen)


@pytest.mark.parametrize(("share", "hidden"), [(1, 0), (0, 1 / 3)])
def test_the_share_of_whole_images_is_the_scheme_s(build, share, hidden):
    task, data = build(
        "scheme=perturb", "scheme/views=sample", f"scheme.views.clean_share={share}", "recipe.augmentation.jitter=0"
    )
    task.fill = 2.0  # no image's
    task.region_state.cluster_map.copy_((torch.arange(48) // 16)[:, None].expand(48, 48))  # three bands
    task.training_step(data.first_batch(0), 0)
    assert float((grey(task, task.network.seen[0]) > 1.5).float().mean()) == pytest.approx(hidden, rel=0.001)


@pytest.mark.parametrize("scope", ["batch", "dataset"])
@pytest.mark.parametrize("views", ["all", "sample"])
def test_extra_erasing_hides_as_much_as_perturb(build, scope, views):
    """And at the same time sees the same images: what differs is where the hidden pixels lie."""
    areas, whole = {}, {}
    for scheme in ("perturb", "extra_erasing"):
        task, data = build(
            f"scheme={scheme}", f"scheme/regions={scope}", f"scheme/views={views}", "scheme.views.fill=255",
            "recipe.augmentation.jitter=0", "recipe.batch_size=128",
        )  # fmt: skip
        task.region_state.cluster_map.copy_((torch.arange(48) // 16)[:, None].expand(48, 48))  # three bands
        hidden = []
        for step in range(4):
            torch.manual_seed(step)
            task.network.seen.clear()
            task.training_step(data.first_batch(step), 0)
            hidden.append((grey(task, task.network.seen[0]) > 1 - 1e-5).float().mean())
        areas[scheme] = float(torch.stack(hidden).mean())
        if views == "all":
            whole[scheme] = task.network.seen[0][3 * 128 :]
    assert areas["extra_erasing"] == pytest.approx(areas["perturb"], rel=0.02)
    assert areas["perturb"] == pytest.approx(0.25, abs=0.02)
    if whole:
        assert torch.equal(whole["perturb"], whole["extra_erasing"])
