"""timm.create_model with errors for people."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import timm
from torch import nn

from fer_perturb.errors import UserError, first_line
from fer_perturb.services import answers


def create(backbone: str, arguments: Mapping[str, Any]) -> nn.Module:
    """timm's network of that name, built with `arguments`.

    Raises UserError if it does not take them, and UnavailableWeightsError if its trained weights cannot be fetched.
    """
    try:
        if not arguments.get("pretrained"):
            return _built(backbone, arguments)
        with _kept_weights_alone_without_hub():
            return _built(backbone, arguments)
    except Exception as error:  # whatever the network's own code raises for arguments that it cannot use
        if not (isinstance(error, OSError) and arguments.get("pretrained")):
            raise _refused(backbone, arguments, error) from error
        raise UnavailableWeightsError(
            f"model.kwargs.pretrained: the weights of {backbone} cannot be fetched from the Hugging Face hub (no "
            f"network?): {first_line(error)} Where there is a network, run the command once: they are kept. Or leave "
            "model.kwargs.pretrained out, to train from random weights."
        ) from error


class UnavailableWeightsError(UserError):
    """Trained weights that cannot be fetched: no fault of the network's arguments."""


def _built(backbone: str, arguments: Mapping[str, Any]) -> nn.Module:
    network: nn.Module = timm.create_model(backbone, **arguments)
    return network


@contextmanager
def _kept_weights_alone_without_hub() -> Iterator[None]:
    """Where the hub does not answer, its client is offline meanwhile: what was fetched before is found at once."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not answers(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _refused(backbone: str, arguments: Mapping[str, Any], error: Exception) -> UserError:
    given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return UserError(
        f"model.backbone: {backbone} cannot be built with {given}: {first_line(error)} "
        "Check model.kwargs against that network in timm's documentation."
    )
