"""What clusters hold is counted; two eyes and a mouth are known when seen; earlier epochs' maps are made again."""

import json
from pathlib import Path

import pytest
import torch
from composing import composed, small
from known_networks import faces
from omegaconf import OmegaConf

from fer_perturb.perturb.clusters import areas
from fer_perturb.perturb.landmark_regions import landmark_regions
from fer_perturb.saliency.clusters import (
    POSITION,
    TESTED,
    Maps,
    maps_of,
    mean_agreement,
    overlaps,
    stability,
    two_eyes_and_a_mouth,
)
from fer_perturb.saliency.faces import faces_of
from fer_perturb.saliency.regions import PARTS, left_half
from fer_perturb.tasks.trained_run import load_run
from fer_perturb.train import train


def test_clusters_that_are_the_parts_hold_them_alone() -> None:
    _, _, parts, _ = faces(7)
    maps = Maps(TESTED, parts.float().argmax(dim=1).to(torch.int8), len(PARTS))
    found = overlaps(maps, parts)
    for name in ("share", "iou"):
        assert [[cell.value for cell in row] for row in found[name]] == torch.eye(len(PARTS)).tolist()


def test_half_of_the_image() -> None:
    parts = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    parts[0, 0, :, 1:3] = True  # half of it in the left half
    parts[1, 0, :, :1] = True  # all of it
    maps = Maps(0, torch.tensor([0, 0, 1, 1], dtype=torch.int8).expand(4, 4), 2)
    found = overlaps(maps, parts)
    assert found["share"][0][0].value == pytest.approx((4 + 4) / (8 + 4))
    assert found["iou"][0][0].value == pytest.approx((4 + 4) / (12 + 8))
    assert found["share"][1][0].low <= found["share"][1][0].value <= found["share"][1][0].high


def test_two_eyes_and_a_mouth_are_known() -> None:
    _, _, parts, points = faces()
    left = left_half(points, (48, 48))
    nearest = landmark_regions(points, (48, 48))  # to an eye with its brow, to the other, to the mouth
    nose = parts[:, PARTS.index("nose")]
    ideal = torch.where(nose, torch.tensor(2, dtype=torch.int8), nearest)
    assert two_eyes_and_a_mouth(Maps(TESTED, ideal, 3), parts, left).value > 0.95
    bands = (torch.arange(48) // 16).to(torch.int8)[:, None].expand(48, 48)
    assert two_eyes_and_a_mouth(Maps(TESTED, bands, 3), parts, left).value == 0, "both eyes lie in one"


def test_agreement_of_maps_of_all_and_of_each_image() -> None:
    one = (torch.arange(16).view(4, 4) % 2).to(torch.int8)
    other = (torch.arange(16).view(4, 4) // 8).to(torch.int8)
    assert mean_agreement(one, 1 - one) == 1
    both = torch.stack([one, other])
    assert mean_agreement(one, both) == pytest.approx((1 + mean_agreement(one, other)) / 2)
    assert stability([Maps(0, other, 2), Maps(TESTED, one, 2)]) == {"0": mean_agreement(one, other)}


@pytest.mark.slow
@pytest.mark.parametrize(("regions", "epochs"), [("batch", 3), ("dataset", 2), ("image", 1)])
def test_earlier_epochs_maps_are_made_again(data_directory: Path, tmp_path: Path, regions: str, epochs: int) -> None:
    words = ("scheme=perturb", f"scheme/regions={regions}", f"recipe.epochs={epochs}")
    config = small(data_directory, tmp_path, *words)
    directory = train(config)[0]
    place = OmegaConf.to_container(
        composed(f"paths.data={data_directory}", "trainer.accelerator=cpu", name="evaluate"), resolve=True
    )
    run = load_run(directory, place, "run")
    seen = faces_of(run.experiment.data, run.predictor, 14)
    before = {name: of.clone() for name, of in run.predictor.state_dict().items()}
    maps = {of.when: of for of in maps_of(run, seen)}
    assert all(torch.equal(of, before[name]) for name, of in run.predictor.state_dict().items())
    _, tested = run.predictor.test_inputs(seen.batch)
    assert torch.equal(maps[TESTED].of_each(len(seen)), tested)
    assert maps[POSITION].labels.shape == tested.shape[1:]
    if regions == "image":
        assert set(maps) == {TESTED, POSITION}
        return
    recorded = json.loads((directory / "predictor" / "phase.json").read_text())["clusters"]
    assert set(maps) == {*range(epochs), TESTED, POSITION}
    assert [entry["epoch"] for entry in recorded] == list(range(epochs))
    for entry in recorded:
        assert areas(maps[entry["epoch"]].labels, 3).tolist() == pytest.approx(entry["areas"])
    assert any(torch.equal(maps[epoch].labels, maps[TESTED].labels) for epoch in range(epochs))
