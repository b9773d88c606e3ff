import pytest
import torch

from fer_perturb.data.packed import load_packed
from fer_perturb.data.readers.drawn_faces import drawn_regions
from fer_perturb.perturb.landmark_regions import EYES_AND_MOUTH, landmark_regions


@pytest.fixture(scope="module")
def faces(data_directory):
    data = load_packed(data_directory / "synthetic")
    return torch.tensor(data.extra("train", "landmarks")), torch.tensor(drawn_regions(data, "train"))


def test_each_pixel_belongs_to_the_nearest_feature(faces):
    landmarks = faces[0][:4]
    found = landmark_regions(landmarks, (20, 30))
    assert found.dtype == torch.int8
    for image in range(4):
        for row, column in ((0, 0), (3, 17), (19, 29), (12, 8)):
            far = [
                min((torch.tensor([column, row]) - landmarks[image, point]).norm() for point in feature)
                for feature in EYES_AND_MOUTH
            ]
            assert found[image, row, column] == far.index(min(far))


def test_mouths_and_eyes_of_drawn_faces_lie_in_their_regions(faces):
    landmarks, regions = faces
    found = landmark_regions(landmarks, (48, 48))
    left = torch.arange(48) < landmarks[:, 27:31, 0].mean(dim=1)[:, None]  # of the nose's bridge
    for label, true in enumerate((
        (regions[:, 0] | regions[:, 1]) & left[:, None],
        (regions[:, 0] | regions[:, 1]) & ~left[:, None],
        regions[:, 3],
    )):  # fmt: skip
        assert (found[true] == label).float().mean() > 0.97


def test_autocast_does_not_coarsen_them(faces):
    landmarks = faces[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        coarse = landmark_regions(landmarks, (48, 48))
    assert torch.equal(coarse, landmark_regions(landmarks, (48, 48)))
    assert torch.equal(
        landmark_regions(landmarks.half(), (48, 48)), landmark_regions(landmarks.half().float(), (48, 48))
    )
