"""The controls hide as much as Perturb does, and differ from it in the one thing that they are named for."""

import pytest
import torch
from composing import TRAIN, VAL, composed, small
from omegaconf import OmegaConf
from probing import Probe

from fer_perturb.data.loading.batches import in_order
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.perturb.clusters import cluster_map
from fer_perturb.schemes import views as views_of_schemes
from fer_perturb.schemes.regions.clusters import as_they_are
from fer_perturb.schemes.scheme import scheme_from
from fer_perturb.tasks.chain import Chain

DIFFERS_IN = {  # from perturb, in what is set of each part
    "moved_maps": {"regions.class", "regions.of"},
    "copies": {"regions.class", "regions.of"},
    "most_attended": {"regions.class", "regions.of", "regions.attended"},
    "least_attended": {"regions.class", "regions.of", "regions.attended"},
    "position_only": {"attention.class"},
    "grey_value": {"attention.class"},
    "extra_erasing": {"regions.class", "regions.of", "inference"},  # there are no clusters that it learned from
    "landmarks": {"attention", "regions"},  # facial features in the place of clusters
    "perturb_image": {"regions.class", "regions.init"},
    "perturb_author": {"regions.restarts"},  # and phase 1's network
}


@pytest.mark.parametrize("scheme", DIFFERS_IN)
def test_it_differs_in_one_thing(scheme):
    of = {name: identity(composed(f"scheme={name}")) for name in ("perturb", scheme)}
    perturb, control = of["perturb"], of[scheme]
    inner = control["regions"].get("of")
    if inner is not None:  # around perturb's own clusters
        assert inner == perturb["regions"]
        assert DIFFERS_IN[scheme] == {f"regions.{key}" for key in {"class", *control["regions"]} - {"version"}} | (
            {"inference"} if control["inference"] != perturb["inference"] else set()
        )
        assert (control["attention"], control["views"]) == (perturb["attention"], perturb["views"])
        return
    differing = set()
    for part in perturb:
        mine, theirs = perturb[part], control[part]
        if isinstance(mine, dict) and isinstance(theirs, dict) and part not in DIFFERS_IN[scheme]:
            keys = (mine.keys() | theirs.keys()) - {"version"}
            differing |= {f"{part}.{key}" for key in keys if mine.get(key) != theirs.get(key)}
        elif mine != theirs:
            differing.add(part)
    assert differing == DIFFERS_IN[scheme]


def identity(config):
    return scheme_from(OmegaConf.to_container(config.scheme, resolve=True)).identity()


@pytest.fixture
def hidden_share(data_directory, tmp_path, monkeypatch):
    """Share of the pixels that each masked training view hides (3,), and the whole images that are seen beside them."""

    def each_in_turn(count, n, share, device):
        return torch.arange(count, device=device) % n

    monkeypatch.setattr(views_of_schemes, "draw_views", each_in_turn)

    def measured(scheme, scope, views, affine=0):
        regions = [] if scheme == "landmarks" else [f"scheme/regions={scope}"]
        config = small(
            data_directory, tmp_path, f"scheme={scheme}", *regions, f"scheme/views={views}",
            f"recipe.batch_size={TRAIN}", "recipe.augmentation.jitter=0", f"recipe.augmentation.affine={affine}",
        )  # fmt: skip
        chain = Chain(open_experiment(config))
        task = chain.predictor.task()
        task.log = lambda *args, **kwargs: None
        task.network = Probe()
        task.fill = 2.0  # no image's
        torch.manual_seed(1)
        attention = torch.rand(TRAIN, 48, 48) + 3 * torch.linspace(0, 1, 48)[:, None] ** 2
        if scheme == "grey_value":
            attention = chain.run.data.first_batch(0)["image"].squeeze(1) / 255
        if scheme != "landmarks":
            clusters, state = getattr(task.regions, "of", task.regions), task.region_state
            refine = getattr(task.regions, "refined", as_they_are)
            found = cluster_map(attention.mean(dim=0), clusters, seed=0)
            state.centres.copy_(found.centres)
            state.cluster_map.copy_(refine(attention.mean(dim=0)[None], found.labels[None])[0])
            if scope == "image":
                state.maps_of = {"train": clusters.clustered(attention, state, refine)}
        torch.manual_seed(0)
        task.training_step(chain.run.data.first_batch(0), 0)
        seen = (task.network.seen[0] * task.std + task.mean).unflatten(0, (-1, TRAIN))
        hidden = (seen > 1.5).float()
        masked = hidden[:3] if views == "all" else torch.stack([hidden[0, view::3].mean(dim=0) for view in range(3)])
        return masked.flatten(1).mean(dim=1), seen[3:]

    return measured


@pytest.mark.parametrize("views", ["all", "sample"])
@pytest.mark.parametrize(
    ("scheme", "scope"),
    [
        *((scheme, scope) for scheme in ("most_attended", "least_attended") for scope in ("batch", "dataset", "image")),
        ("landmarks", "image"),
        ("moved_maps", "batch"),
        ("moved_maps", "image"),
        ("position_only", "batch"),
        ("grey_value", "batch"),
    ],
)
def test_it_hides_as_much_as_perturb(hidden_share, scheme, scope, views):
    """On average a third: it follows where three clusters cover the image, and must be made so for the others."""
    perturb, whole = hidden_share("perturb", scope, views)
    control, same = hidden_share(scheme, scope, views)
    assert float(control.mean()) == pytest.approx(float(perturb.mean()), rel=0.02)
    if views == "all":
        assert float(perturb.mean()) == pytest.approx(1 / 3, rel=0.001)
        assert torch.equal(whole, same)
    if scheme.endswith("attended"):  # a third in each view, and not only on average
        assert torch.allclose(control, torch.tensor(1 / 3), rtol=0.02)
    if scheme == "moved_maps" and (scope, views) != ("image", "sample"):  # there other images meet each view
        assert torch.allclose(control.sort().values, perturb.sort().values, rtol=1e-4)
        assert perturb.max() > 1.02 * perturb.min()  # or any division would do


def test_landmarks_shift_with_their_images_as_image_maps_do(hidden_share):
    perturb_image, _ = hidden_share("perturb_image", "image", "all", affine=1)
    landmarks, _ = hidden_share("landmarks", "image", "all", affine=1)
    perturb, _ = hidden_share("perturb", "batch", "all", affine=1)
    landmarks, perturb_image, perturb = (float(share.mean()) for share in (landmarks, perturb_image, perturb))
    assert landmarks == pytest.approx(perturb_image, rel=0.02)
    assert 0.85 * perturb < landmarks < 0.95 * perturb  # of what comes in from outside nothing is hidden


def test_all_masked_views_hide_the_same_region(data_directory, tmp_path):
    config = small(data_directory, tmp_path, "scheme=most_attended", "scheme/regions=dataset", "scheme.views.fill=255")
    chain = Chain(open_experiment(config))
    task = chain.predictor.task()
    task.network = Probe()
    task.region_state.cluster_map.fill_(-1)
    task.region_state.cluster_map[30:] = 0
    batch = next(iter(in_order(chain.experiment.data.splits["test"])))
    logits = task.evaluate(batch, "none")
    assert logits.shape[1] == 4
    grey = [seen * task.std + task.mean for seen in task.network.seen]
    for view in grey[:3]:
        assert torch.equal(view, grey[0])
        assert (view[..., 30:, :] - 1).abs().max() < 1e-5
        assert torch.allclose(view[..., :30, :], grey[3][..., :30, :])
    assert torch.allclose(grey[3], batch["image"] / 255, atol=1e-6)


def test_landmarks_of_test_images_are_their_own(data_directory, tmp_path):
    config = small(data_directory, tmp_path, "scheme=landmarks")
    chain = Chain(open_experiment(config))
    task = chain.predictor.task()
    test = chain.experiment.data.splits["test"]
    maps = task.tested_maps(next(iter(in_order(test))))
    assert maps.shape == (VAL, 48, 48)
    for row in range(5):
        for label, point in ((0, 37), (1, 44), (2, 62)):
            column, line = test.landmarks[row, point].round().astype(int).clip(0, 47)
            assert maps[row, line, column] == label
