"""Networks by name: timm's, for one grey channel, with or without spatial gates."""

import difflib
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import timm
import torch
from torch import Tensor, nn

from fer_perturb.errors import UserError, first_line
from fer_perturb.models import densenet121, dpn26, resmasking, resnet50, resnet_small, vgg16
from fer_perturb.models.create import create
from fer_perturb.models.gates import GatedNetwork
from fer_perturb.models.small_input import build_for_small_input, other_ways

# importing these has registered their networks with timm
MODULES = (vgg16, resnet50, densenet121, dpn26, resmasking, resnet_small)
OWN = [name for module in MODULES for name in timm.list_models(module=module.__name__.rpartition(".")[2])]


def build_network(
    backbone: str,
    *,
    num_classes: int,
    small_input: bool = False,
    attention_at: Sequence[str] = (),
    kwargs: Mapping[str, Any] | None = None,
    image_size: tuple[int, int] = (48, 48),
) -> nn.Module:
    """A timm network with one input channel: pictures (B, 1, H, W) float -> logits (B, num_classes).

    backbone: a name that timm knows, this project's own (`OWN`) among them; or `module:name`, where importing the
        module registers that name with timm (`timm.models.register_model`), as one's own networks do.
    small_input: take away the early downsampling that would shrink pictures of `image_size` to nothing
        (the rule is in small_input.py).
    attention_at: the places of spatial gates; if there are any, the result is a `GatedNetwork`.
    kwargs: passed on to timm.create_model. Weights are random unless `pretrained=True` is among them.
    image_size: (H, W) in pixels that small_input fits the network to; nothing else reads it.

    Initial weights come from torch's global random stream: first the network's, then the gates'.
    Raises UserError for an unknown name, arguments that the network does not take, or places
    that it does not have.
    """
    module, _, backbone = backbone.rpartition(":")
    if module:
        try:
            import_module(module)
        except ImportError as error:
            raise UserError(
                f"model.backbone: the module {module} cannot be imported: {first_line(error)} Expected module:name, "
                "the module in the folder where the command is run, or installed."
            ) from error
    if not timm.is_model(backbone):
        near = difflib.get_close_matches(backbone, timm.list_models(), n=5, cutoff=0.4)
        hint = f"Near names: {', '.join(near)}." if near else "No name comes near."
        raise UserError(
            f"model.backbone: timm has no network {backbone!r}. {hint} "
            f"timm.list_models() lists all; {', '.join(OWN)} are this project's own."
        )
    arguments: dict[str, Any] = {"in_chans": 1, "num_classes": num_classes, **(kwargs or {})}
    fit = partial(build_for_small_input, image_size=image_size) if small_input else create
    network = fit(backbone, arguments)
    if not attention_at:
        return network
    return GatedNetwork(network, attention_at, name=backbone)


def check_network(network: nn.Module, image_size: tuple[int, int], *, small_input: bool = False) -> None:
    """Puts two black pictures of `image_size` (H, W) pixels through the network, in evaluation mode.

    Raises UserError if the network does not take that size, or does not give finite logits (2, classes), or
    if one of its gates cannot work; with small_input, which was followed already, it is not advised. Modes,
    weights, statistics and random streams stay as they were.
    """
    height, width = image_size
    pictures = torch.zeros(2, 1, height, width)
    if (parameter := next(network.parameters(), None)) is not None:
        pictures = pictures.to(parameter)
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            if isinstance(network, GatedNetwork):
                logits, _ = network.forward_with_attention(pictures)
            else:
                logits = network(pictures)
    except UserError:
        raise
    except Exception as error:  # whatever the network's own code raises for a picture that it does not take
        raise UserError(
            f"model.backbone: {_name(network)} does not take grey pictures of {height}x{width} pixels "
            f"({str(error) or type(error).__name__}). {other_ways(image_size, small_input)}"
        ) from error
    finally:
        for module, training in modes.items():
            module.training = training
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 2:
        got = f"a {tuple(logits.shape)} tensor" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise UserError(
            f"model.backbone: {_name(network)} gives {got} for two pictures where logits (2, classes) were "
            "expected. Take a classification network, without arguments in model.kwargs that change its output."
        )
    if not bool(torch.isfinite(logits).all()):
        raise UserError(
            f"model.backbone: {_name(network)} gives logits that are not finite for pictures of {height}x{width} "
            f"pixels: its last feature map has probably shrunk to nothing. {other_ways(image_size, small_input)}"
        )


def _name(network: nn.Module) -> str:
    if isinstance(network, GatedNetwork):
        return network.name
    config = getattr(network, "pretrained_cfg", None) or {}
    return str(config.get("architecture", type(network).__name__))
