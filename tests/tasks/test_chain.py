"""Every scheme goes through two epochs of the whole chain."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from composing import TEST, choices, small
from omegaconf import OmegaConf

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.schemes.regions.one_region import OneRegion
from fer_perturb.schemes.scheme import scheme_from
from fer_perturb.tasks.chain import Chain
from fer_perturb.train import train

pytestmark = pytest.mark.slow

# The author's VGG-16, in narrow: in full it takes as long as all the others, and tests/models has it in full.
SMALLER = {"perturb_author": ["attention_model.backbone=vgg16_small"]}
VARIANTS = [
    *([f"scheme={name}", *SMALLER.get(name, [])] for name in choices("scheme")),
    ["scheme=perturb", "scheme/views=sample", "scheme.inference=original"],
    [
        "scheme=perturb",
        "scheme/regions=dataset",
        "scheme.regions.init=previous",
        "scheme.regions.top_share=0.5",
        "scheme.views.fill=mean",
    ],
    ["scheme=perturb", "scheme/attention=own_gates", "model.attention.at=[input,stage1]"],
    ["scheme=perturb_image", "scheme/attention=own_gates", "model.attention.at=[stage1]", "scheme/views=sample"],
    ["scheme=moved_maps", "scheme/regions=image", "recipe.tta=flip"],
    ["scheme=most_attended", "scheme/regions=image", "recipe.tta=flip", "scheme/views=sample"],
    ["scheme=landmarks", "recipe.crop=40", "recipe.tta=ten", "recipe.batch_size=8"],
    ["scheme=perturb", "recipe.crop=40", "recipe.tta=ten", "recipe.batch_size=8"],
    ["scheme=perturb_image", "recipe.crop=40", "recipe.tta=ten", "recipe.batch_size=8"],
]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outputs")


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("variant", VARIANTS, ids=" ".join)
def test_two_epochs(variant: list[str], data_directory: Path, outputs: Path) -> None:
    config = small(data_directory, outputs, *variant)
    run, summary = train(config)
    scheme = scheme_from(OmegaConf.to_container(config.scheme, resolve=True))
    masks, clustered = scheme.regions is not None, scheme.attention is not None

    record = json.loads((run / "predictor" / "phase.json").read_text())
    if clustered:  # the callback ran at the start of both epochs
        assert [entry["epoch"] for entry in record["clusters"]] == [0, 1]
        assert all(sum(entry["areas"]) <= 1 + 1e-6 for entry in record["clusters"])
        assert summary["phases"]["clustering"]["reclusterings"] == 2
        if isinstance(scheme.regions, OneRegion):  # one region, which is hidden in every masked view
            assert record["clusters"][-1]["areas"] == pytest.approx([1 / 3, 0, 0], rel=0.02)
    else:
        assert summary["phases"]["clustering"] is None
    picture = run / "predictor" / "pictures" / "scheme.png"
    assert picture.exists() == masks
    assert not masks or picture.stat().st_size > 10_000
    assert (summary["phases"]["attention"] is not None) == scheme.has_phase_1

    rows = pq.read_table(run / "predictions" / "synthetic.parquet").to_pylist()
    kinds = {(row["split"], row["inference"], row["tta"], row["view"]) for row in rows}
    ttas = {"none", config.recipe.tta, *(["flip"] if config.recipe.tta == "ten" else [])}
    views = {("original", -1)} | ({("views", view) for view in range(-1, scheme.n_views)} if masks else set())
    assert kinds == {
        (split, inference, tta, view) for split in ("val", "test") for inference, view in views for tta in ttas
    }
    assert len(rows) == len(kinds) * TEST
    assert all(np.isfinite([row[f"logit_{name}"] for name in EMOTIONS]).all() for row in rows)

    assert json.loads((run / "summary.json").read_text()) == summary
    assert summary["test"] == (
        summary["test_views"] if config.scheme.inference == "views" else summary["test_original"]
    )
    assert 0 <= summary["test"]["accuracy_no_twins"] <= 1
    assert summary["phases"]["predictor"]["flops"] > 0


def test_combined_logits_are_means_of_the_views(data_directory: Path, outputs: Path) -> None:
    run, _ = train(small(data_directory, outputs, "scheme=perturb"))
    table = pq.read_table(run / "predictions" / "synthetic.parquet", filters=[("split", "==", "test")])
    rows = [row for row in table.to_pylist() if row["inference"] == "views" and row["tta"] == "none"]
    name = rows[0]["name"]
    per_view = [row["logit_happy"] for row in rows if row["name"] == name and row["view"] >= 0]
    (combined,) = (row["logit_happy"] for row in rows if row["name"] == name and row["view"] == -1)
    assert len(per_view) == 4
    assert combined == pytest.approx(np.mean(per_view), rel=1e-5, abs=1e-6)


def test_phase_1_is_trained_once_for_a_sweep_over_clusters(data_directory: Path, tmp_path: Path) -> None:
    summaries = [train(small(data_directory, tmp_path, f"scheme.regions.n_clusters={n}"))[1] for n in (2, 4)]
    first, second = (summary["phases"]["attention"] for summary in summaries)
    assert first["key"] == second["key"]
    assert [first["cached"], second["cached"]] == [False, True]
    assert first["seconds"] == second["seconds"] > 0
    assert summaries[0]["phases"]["predictor"]["key"] != summaries[1]["phases"]["predictor"]["key"]


def test_a_finished_run_is_not_run_again(data_directory: Path, tmp_path: Path) -> None:
    config = small(data_directory, tmp_path, "scheme=baseline")
    run, _ = train(config)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    train(config)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_same_seed_same_logits_other_seed_others(data_directory: Path, tmp_path: Path) -> None:
    def logits(outputs: str, seed: int) -> list[float]:
        run, _ = train(small(data_directory, tmp_path / outputs, "scheme/views=sample", f"seed={seed}"))
        return pq.read_table(run / "predictions" / "synthetic.parquet")["logit_happy"].to_pylist()

    assert logits("a", 0) == logits("b", 0)
    assert logits("a", 0) != logits("c", 1)


def test_schemes_share_initial_weights_and_augmented_images(data_directory: Path, tmp_path: Path) -> None:
    """Paired comparison: what differs between schemes is the masking alone."""
    seen = []
    for variant in (["scheme=baseline"], ["scheme=perturb", "scheme/regions=dataset"]):
        chain = Chain(open_experiment(small(data_directory, tmp_path, *variant)))
        task = chain.predictor.task()
        batch = chain.run.data.first_batch(3)
        planes = None if variant == ["scheme=baseline"] else torch.ones(len(batch["image"]), 1, 48, 48)
        torch.manual_seed(5)
        images, _ = task.augmentation(batch["image"], planes)
        seen.append((next(task.network.parameters()), images))
    assert torch.equal(seen[0][0], seen[1][0])
    assert torch.equal(seen[0][1], seen[1][1])


def test_growing_pictures_cost_less_and_are_tested_whole(data_directory: Path, tmp_path: Path) -> None:
    seen: list[tuple[bool, int]] = []

    def watch(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        images = inputs[0]
        grey = isinstance(module, torch.nn.Conv2d) and module.in_channels == 1
        if grey and images.device.type != "meta" and len(images) > 2:  # two: check_network, at each size
            seen.append((module.training, images.shape[-1]))

    growing = ("scheme=baseline", "recipe.epochs=4", "recipe.initial_size=40")
    handle = torch.nn.modules.module.register_module_forward_pre_hook(watch)
    try:
        _, grown = train(small(data_directory, tmp_path, *growing))
    finally:
        handle.remove()
    trained = [side for training, side in seen if training]
    assert trained[:12] == [40] * 9 + [48] * 3
    assert {side for training, side in seen if not training} == {48}

    _, whole = train(small(data_directory, tmp_path, *growing, "recipe.initial_size=null"))
    share = grown["phases"]["predictor"]["flops"] / whole["phases"]["predictor"]["flops"]
    assert 0.7 < share < 0.85  # three of four epochs at about (40 / 48)^2 = 0.69
