"""Saliency lies where a network is known to look, and nowhere in particular where it has learned nothing."""

import pytest
import torch
from known_networks import CLASSES, MEAN, Reads, everyone, faces, reading
from torch import nn

from fer_perturb.errors import UserError
from fer_perturb.models.build import build_network
from fer_perturb.saliency import estimators as module
from fer_perturb.saliency.estimators import Seeing, cam_layer, estimators, integrated_gradients
from fer_perturb.saliency.measuring import shares
from fer_perturb.saliency.regions import PARTS

pytestmark = pytest.mark.slow

METHODS = ["gradient", "integrated gradients", "Grad-CAM"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("part", ["brows", "mouth"])
def test_a_network_that_reads_one_part_looks_at_it_alone(method: str, part: str) -> None:
    images, classes, parts, _ = faces()
    mask = everyone(parts, part)
    maps = estimators(reading(mask), (48, 48))[method](images, classes)
    assert maps.shape == (len(images), 48, 48)
    assert bool((maps >= 0).all())
    if method == "Grad-CAM":  # interpolation at the same size changes nothing
        maps = torch.where(maps < 1e-6, 0, maps)
    assert float(maps[:, ~mask].abs().max()) < 1e-6
    share = torch.from_numpy(shares(maps, parts))
    area = parts.double().mean(dim=(2, 3))
    density = (share.mean(dim=0) / area.mean(dim=0)).tolist()
    assert max(range(len(PARTS)), key=density.__getitem__) == PARTS.index(part)
    assert density[PARTS.index(part)] > 3


@pytest.mark.parametrize("method", METHODS[:2])
def test_one_that_has_learned_nothing_looks_nowhere_in_particular(method: str) -> None:
    images, classes, parts, _ = faces()
    everywhere = Seeing(Reads(torch.ones(48, 48)), MEAN, 1.0)
    share = shares(estimators(everywhere, (48, 48))[method](images, classes), parts)
    density = share.mean(axis=0) / parts.double().mean(dim=(2, 3)).mean(dim=0).numpy()
    assert density[PARTS.index("mouth")] < 2
    if method == "gradient":  # the weights alone, which lie nowhere in particular
        assert abs(density - 1).max() < 0.25


def test_integrated_gradients_are_complete() -> None:
    """They sum to what the image changes of the logit; in a linear network exactly."""
    images, classes, parts, _ = faces(7)
    mask = everyone(parts, "mouth")
    bright = images.clamp(min=MEAN)  # so that no part is negative
    seeing = reading(mask)
    grey = torch.full_like(bright, MEAN)
    changed = (seeing(bright) - seeing(grey)).gather(1, classes[:, None])[:, 0]
    summed = integrated_gradients(seeing, bright, classes).sum(dim=(1, 2))
    torch.testing.assert_close(summed, changed, rtol=1e-4, atol=1e-5)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images, classes, parts, _ = faces(7)
    seeing = reading(everyone(parts, "eyes"))
    whole = {name: of(images, classes) for name, of in estimators(seeing, (48, 48)).items()}
    monkeypatch.setattr(module, "CHUNK", 3)
    for name, of in estimators(seeing, (48, 48)).items():
        torch.testing.assert_close(of(images, classes), whole[name])


@pytest.mark.parametrize(("backbone", "fields"), [("resnet_tiny", 6), ("vgg16_small", 6), ("resmasking_small", 8)])
def test_grad_cam_weighs_maps_as_fine_as_a_feature(backbone: str, fields: int) -> None:
    seeing = Seeing(build_network(backbone, num_classes=CLASSES), MEAN, 1.0)
    layer = cam_layer(seeing, (48, 48))
    assert layer is not None
    shapes = []
    with layer.register_forward_hook(lambda m, i, output: shapes.append(output.shape[2:])):
        seeing(torch.rand(1, 1, 48, 48))
    assert shapes == [(fields, fields)]


def test_a_network_without_feature_maps_has_no_grad_cam() -> None:
    plain = Seeing(nn.Sequential(nn.Flatten(), nn.Linear(48 * 48, CLASSES)), MEAN, 1.0)
    assert list(estimators(plain, (48, 48))) == METHODS[:2]


def test_without_captum_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "captum.attr", None)
    images, classes, parts, _ = faces(7)
    with pytest.raises(UserError, match=r"pip install 'fer_perturb\[saliency\]'"):
        estimators(reading(everyone(parts, "nose")), (48, 48))["gradient"](images, classes)
