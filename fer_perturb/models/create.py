"""timm.create_model with errors for people."""

from collections.abc import Mapping
from typing import Any

import timm
from torch import nn

from fer_perturb.errors import UserError


def create(backbone: str, arguments: Mapping[str, Any]) -> nn.Module:
    """timm's network of that name, built with `arguments`.

    Raises UserError if it does not take them, and UnavailableWeightsError if its trained weights cannot be fetched.
    """
    try:
        network: nn.Module = timm.create_model(backbone, **arguments)
    except (OSError, RuntimeError) as error:
        if not arguments.get("pretrained"):
            raise _refused(backbone, arguments, error) from error
        raise UnavailableWeightsError(
            f"model.kwargs.pretrained: the weights of {backbone} cannot be fetched from the Hugging Face hub (no "
            f"network?): {_first_line(error)} Where there is a network, run the command once: they are kept. Or train "
            "from random weights: model.kwargs.pretrained=false"
        ) from error
    except (TypeError, ValueError, AssertionError, KeyError) as error:
        raise _refused(backbone, arguments, error) from error
    return network


class UnavailableWeightsError(UserError):
    """Trained weights that cannot be fetched: no fault of the network's arguments."""


def _refused(backbone: str, arguments: Mapping[str, Any], error: Exception) -> UserError:
    given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return UserError(
        f"model.backbone: {backbone} cannot be built with {given}: {error}. "
        "Check model.kwargs against that network in timm's documentation."
    )


def _first_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if line.endswith(".") else f"{line}."
