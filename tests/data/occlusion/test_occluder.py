"""What is hidden of a face, and by what."""

import numpy as np
import pytest
import torch

from fer_perturb.data.drawn_faces.drawing import REGIONS
from fer_perturb.data.loading.batches import Batches, ResidentBatches
from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.data.occlusion.features import FEATURES, inside
from fer_perturb.data.occlusion.fills import FILLS
from fer_perturb.data.occlusion.occluder import Occluder, Part
from fer_perturb.data.packed import load_packed
from fer_perturb.data.readers.drawn_faces import drawn_regions
from fer_perturb.errors import UserError


@pytest.fixture(scope="module")
def data(data_directory):
    return load_packed(data_directory / "synthetic")


@pytest.fixture(scope="module")
def faces(data):
    split = data.splits["train"]
    regions = dict(zip(REGIONS, torch.tensor(drawn_regions(data, "train")).unbind(dim=1), strict=True))
    return torch.tensor(split.images[:]).unsqueeze(1), torch.tensor(split.landmarks[:]), regions


def occluder(feature, coverage=1.0, fill="mean"):
    return Occluder((Part(feature, coverage, fill),))


def hidden(feature, landmarks, coverage=1.0):
    return occluder(feature, coverage).hidden(landmarks, (48, 48))[0]


@pytest.mark.parametrize(("feature", "least"), [("mouth", 0.7), ("eyes", 0.7), ("nose", 0.7), ("brows", 0.6)])
def test_a_feature_lies_where_it_is_drawn(faces, feature, least):
    _, landmarks, regions = faces
    found, true = hidden(feature, landmarks), regions[feature]
    overlap = (found & true).sum(dim=(1, 2)) / (found | true).sum(dim=(1, 2))
    assert overlap.median() > least  # intersection over union
    assert overlap.quantile(0.1) > least - 0.15
    others = {name: of for name, of in regions.items() if name != feature}
    for name, of in others.items():
        assert (found & of & ~true).sum() < 0.15 * of.sum(), name


def test_larger_parts_hold_the_features_that_lie_in_them(faces):
    _, landmarks, regions = faces
    for part, holds, spares in (
        ("mask", ["mouth"], ["brows"]),
        ("lower", ["mouth"], ["brows", "eyes"]),
        ("upper", ["brows", "eyes"], ["mouth"]),
    ):
        found = hidden(part, landmarks)
        for name in holds:
            assert (found & regions[name]).sum() > 0.9 * regions[name].sum(), (part, name)
        for name in spares:
            assert (found & regions[name]).sum() < 0.06 * regions[name].sum(), (part, name)
    both = hidden("upper", landmarks) & hidden("lower", landmarks)
    assert both.float().mean() < 0.01


@pytest.mark.parametrize("feature", FEATURES)
def test_coverage_is_a_share_of_the_area_and_grows_from_the_middle(faces, feature):
    _, landmarks, _ = faces
    whole = hidden(feature, landmarks).sum()
    before = torch.zeros(1, dtype=torch.bool)
    for coverage in (0.0, 0.25, 0.5, 0.75, 1.0):
        found = hidden(feature, landmarks, coverage)
        assert found.sum() / whole == pytest.approx(coverage, abs=0.04)
        # a polygon that bends inwards (a cupid's bow, a brow) does not quite hold itself made smaller
        assert (before & ~found).sum() <= 0.03 * whole
        before = found


def test_several_at_once_each_in_its_own_way(faces):
    images, landmarks, _ = faces
    both = Occluder.from_name("mouth@0.5-skin+eyes-noise")
    assert both.parts == (Part("mouth", 0.5, "skin"), Part("eyes", 1.0, "noise"))
    parts = both.hidden(landmarks, (48, 48))
    assert torch.equal(parts[0], hidden("mouth", landmarks, 0.5))
    assert torch.equal(parts[1], hidden("eyes", landmarks))
    shown = both(images, landmarks)
    mouth, eyes = (part.unsqueeze(1) for part in parts)
    assert torch.equal(shown[mouth], FILLS["skin"](images, mouth | eyes)[mouth])
    assert torch.equal(shown[eyes], FILLS["noise"](images, eyes)[eyes])
    assert torch.equal(shown[~(mouth | eyes)], images[~(mouth | eyes)])


@pytest.mark.parametrize("parts", [["upper", "lower"], ["mask", "mouth"], ["eyes", "mouth"]])
def test_nothing_hidden_shows_through_the_skin(faces, parts):
    images, landmarks, _ = faces
    hides = Occluder.from_name("+".join(f"{part}-skin" for part in parts))
    hidden_pixels = torch.stack(hides.hidden(landmarks, (48, 48))).any(dim=0).unsqueeze(1)
    other = torch.where(hidden_pixels, torch.randint_like(images, 256), images)
    assert torch.equal(hides(images, landmarks), hides(other, landmarks))


def test_inside_by_hand():
    triangle = torch.tensor([[[1.0, 1.0], [9.0, 1.0], [1.0, 9.0]]])
    found = inside(triangle, (12, 12))[0]
    for row in range(12):
        for column in range(12):
            if row in (1, 9) or column == 1 or row + column == 10:
                continue  # on an edge
            assert found[row, column] == (row > 1 and column > 1 and row + column < 10)
    notched = torch.tensor([[[0.5, 0.5], [10.5, 0.5], [10.5, 10.5], [5.5, 3.5], [0.5, 10.5]]])
    shape = inside(notched, (12, 12))[0]
    assert shape[2, 5]
    assert shape[8, 2]
    assert not shape[8, 5]


@pytest.mark.parametrize("fill", FILLS)
def test_only_what_is_hidden_changes(faces, fill):
    images, landmarks, _ = faces
    for part in ("mouth", "mask"):
        hides = occluder(part, fill=fill)
        found = hides(images, landmarks)
        where = hides.hidden(landmarks, (48, 48))[0].unsqueeze(1)
        assert found.dtype == torch.uint8
        assert torch.equal(found[~where], images[~where])
        assert (found[where] != images[where]).float().mean() > 0.7
        # a function of the picture alone
        assert torch.equal(hides(images[5:9], landmarks[5:9]), found[5:9])


def test_fills(faces):
    images, landmarks, _ = faces
    where = hidden("mask", landmarks).unsqueeze(1)
    filled = {fill: occluder("mask", fill=fill)(images, landmarks) for fill in FILLS}
    for row in (0, 7):
        assert (filled["mean"][row][where[row]] == images[row].float().mean().round()).all()
        assert filled["noise"][row][where[row]].float().std() > 60
        assert 0 < filled["blur"][row][where[row]].float().std() < 0.7 * images[row][where[row]].float().std()
    gradient = torch.arange(48.0).expand(1, 1, 48, 48).mul(5).to(torch.uint8)
    hole = torch.zeros(1, 1, 48, 48, dtype=torch.bool)
    hole[..., 20:28, 20:28] = True
    drawn = FILLS["skin"](gradient, hole)[hole].float()
    assert (drawn - gradient[hole].float()).abs().max() < 12  # what surrounds it goes on
    everything = torch.ones_like(hole)
    assert torch.equal(FILLS["skin"](gradient, everything), torch.zeros_like(gradient))  # nothing is known


def test_batches_are_occluded_and_the_arrays_are_not(data):
    hides = occluder("eyes", 0.5, "noise")
    split = data.occluded(hides).splits["train"]
    rows = np.arange(3, 40)
    found = Batches(split)[rows]
    whole = Batches(data.splits["train"])[rows]
    assert torch.equal(found["image"], hides(whole["image"], whole["landmarks"]))
    assert torch.equal(ResidentBatches(split, torch.device("cpu"))[rows]["image"], found["image"])
    assert np.array_equal(split.images, data.splits["train"].images)
    assert split.identities().tolist() == data.splits["train"].identities().tolist()
    module = FaceDataModule(data.occluded(hides), batch_size=16, seed=0, clean=False)
    first = module.first_batch(0)
    assert torch.equal(first["image"], hides(torch.tensor(split.images[first["index"]])[:, None], first["landmarks"]))


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ([("mouth", 1.0, "mean")], "mouth@1"),
        ([("mouth", 0.5, "noise"), ("eyes", 1.0, "mean")], "mouth@0.5-noise+eyes@1"),
        ([("mask", 0.333, "skin")], "mask@0.333-skin"),
        ([("nose", 0.00005, "mean")], "nose@0.00005"),
        ([("brows", 0.0, "blur")], "brows@0-blur"),
    ],
)
def test_names_go_to_and_fro(data, parts, name):
    hides = Occluder(tuple(Part(*part) for part in parts))
    assert hides.name == name
    assert Occluder.from_name(name) == hides
    assert data.occluded(hides).name == f"synthetic+{name}"


@pytest.mark.parametrize("name", ["mouth", "mouth@1.0", "mouth@1-mean", "mouth-mean", "mouth@1.0000001"[:9]])
def test_one_thing_has_one_name(name):
    assert Occluder.from_name(name).name == "mouth@1"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ears", r"dataset.occluder=ears: expected none, or one of mask, mouth"),
        ("mouth+none", r"dataset.occluder=none: expected none, or one of"),
        ("", r"dataset.occluder=: expected none"),
        ("mouth@1.2", r"dataset.occluder=mouth@1.2: a coverage of 1.2; expected a share from 0 to 1"),
        ("mouth@nan", r"a coverage of nan; expected a share"),
        ("mouth@much", r"mouth@much: much is no coverage"),
        ("eyes+mouth@0.5-white", r"mouth@0.5-white: white is no fill; expected one of mean, noise, blur, skin"),
        (["mouth", "eyes@0.5"], r"names joined by \+, dataset.occluder=mouth\+eyes@0.5"),
        ([], r"names joined by \+"),
        (None, r"dataset.occluder=None: expected none, or names joined by \+"),
        (0.5, r"dataset.occluder=0.5: expected none, or names joined by \+"),
    ],
)
def test_what_cannot_be_is_said(name, says):
    with pytest.raises(UserError, match=says):
        Occluder.from_name(name)


def test_nothing_hidden():
    assert Occluder.from_name("none") is None
