"""Where a network looks, by four estimators; captum does the arithmetic of three."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from fer_perturb.errors import UserError
from fer_perturb.models.gates import GatedNetwork
from fer_perturb.models.stages import stages
from fer_perturb.tasks.training.classifier import Classifier

STEPS = 16  # of the path of integrated gradients
CHUNK = 128  # images at a time; it does not change any result
FIELDS = 6  # the least rows and columns of the maps that Grad-CAM weighs: a facial feature is an eighth of a face

Estimator = Callable[[Tensor, Tensor], Tensor]
"""images float (N, 1, h, w) in [0, 1], classes int64 (N,) -> where the network looks for those, float (N, h, w) >= 0"""


class Seeing(nn.Module):
    """A classifier's network with its normalisation, in float32 and in evaluation mode, its weights frozen.

    Images float (N, 1, h, w) in [0, 1] -> logits float32 (N, classes). mean: the grey value that hides nothing and
    shows nothing, the training images' own.
    """

    def __init__(self, network: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.network = network
        self.mean, self.std = mean, std
        self.requires_grad_(False).eval()

    @classmethod
    def of(cls, task: Classifier) -> "Seeing":
        return cls(task.network, float(task.mean), float(task.std))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network((images - self.mean) / self.std)
        return logits.float()


def estimators(seeing: Seeing, size: tuple[int, int], task: Classifier | None = None) -> dict[str, Estimator]:
    """By name: gradient, integrated gradients, Grad-CAM, where the network has feature maps, and the attention of
    `task`, where it has any.

    size: (h, w) of the images. Raises UserError without captum.
    """
    found: dict[str, Estimator] = {
        "gradient": lambda images, classes: gradient(seeing, images, classes),
        "integrated gradients": lambda images, classes: integrated_gradients(seeing, images, classes),
    }
    layer = cam_layer(seeing, size)
    if layer is not None:
        found["Grad-CAM"] = lambda images, classes: grad_cam(seeing, layer, images, classes)
    if task is not None and has_attention(task):
        found["attention"] = lambda images, classes: attention(task, images)
    return found


def gradient(seeing: Seeing, images: Tensor, classes: Tensor) -> Tensor:
    """|d logit / d pixel| (Simonyan et al. 2014)."""
    method = _captum().Saliency(seeing)
    pairs = _pairs(images, classes)
    parts = [method.attribute(some.clone().requires_grad_(), target=of, abs=True) for some, of in pairs]
    return torch.cat(parts).detach().squeeze(1)


def integrated_gradients(seeing: Seeing, images: Tensor, classes: Tensor) -> Tensor:
    """|pixel's part in the logit| on the way from an image of the training images' mean grey (Sundararajan 2017)."""
    method = _captum().IntegratedGradients(seeing)
    parts = [
        method.attribute(some, baselines=seeing.mean, target=of, n_steps=STEPS, internal_batch_size=8 * CHUNK)
        for some, of in _pairs(images, classes)
    ]
    return torch.cat(parts).detach().squeeze(1).float().abs()


def grad_cam(seeing: Seeing, layer: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """The layer's maps, weighed by their mean gradients, what speaks for the class alone (Selvaraju et al. 2017)."""
    captum = _captum()
    method = captum.LayerGradCam(seeing, layer)
    parts = []
    for some, of in _pairs(images, classes):
        maps = method.attribute(some.clone().requires_grad_(), target=of, relu_attributions=True)
        parts.append(captum.LayerAttribution.interpolate(maps, some.shape[-2:], "bilinear"))
    return torch.cat(parts).detach().squeeze(1)


@torch.no_grad()
def attention(task: Classifier, images: Tensor) -> Tensor:
    """The gates of the run's frozen phase 1, or its own; the same for all classes."""
    sight = getattr(task, "sight", None)
    look = task.attention if sight is None or sight.attention is None else sight.of_grey
    return torch.cat([look(some).float() for some in chunks(images)]).clamp(min=0)


def has_attention(task: Classifier) -> bool:
    sight = getattr(task, "sight", None)
    return (sight is not None and sight.attention is not None) or isinstance(task.network, GatedNetwork)


def cam_layer(seeing: Seeing, size: tuple[int, int]) -> nn.Module | None:
    """The last stage whose maps have FIELDS rows and columns, or else the last with more than one; None without any.

    Networks whose stages timm does not name, or that return tokens, have none.
    """
    network: nn.Module = seeing.network.network if isinstance(seeing.network, GatedNetwork) else seeing.network
    if getattr(network, "output_fmt", "NCHW") != "NCHW":
        return None
    modules = dict(network.named_modules())
    shapes: dict[str, tuple[int, int]] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4:
                shapes[name] = (output.shape[2], output.shape[3])

        return hook

    handles = [modules[name].register_forward_hook(note(name)) for name in stages(network).values()]
    try:
        with torch.no_grad():
            seeing(next(seeing.parameters()).new_zeros(1, 1, *size))
    finally:
        for handle in handles:
            handle.remove()
    for least in (FIELDS, 2):
        if fine := [name for name, shape in shapes.items() if min(shape) >= least]:
            found: nn.Module = modules[fine[-1]]
            return found
    return None


def chunks(tensor: Tensor) -> list[Tensor]:
    """Rows of a tensor, CHUNK at a time."""
    return [tensor[start : start + CHUNK] for start in range(0, len(tensor), CHUNK)]


def _pairs(images: Tensor, classes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(chunks(images), chunks(classes), strict=True)


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError as error:
        raise UserError("Where a network looks takes captum: pip install 'fer_perturb[saliency]'") from error
    return captum.attr
