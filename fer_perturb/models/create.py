"""timm.create_model with errors for people."""

from collections.abc import Mapping
from typing import Any

import timm
from torch import nn

from fer_perturb.errors import UserError


def create(backbone: str, arguments: Mapping[str, Any]) -> nn.Module:
    """timm's network of that name, built with `arguments`; UserError if it does not take them."""
    try:
        network: nn.Module = timm.create_model(backbone, **arguments)
    except (TypeError, ValueError, AssertionError, RuntimeError, KeyError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise UserError(
            f"model.backbone: {backbone} cannot be built with {given}: {error}. "
            "Check model.kwargs against that network in timm's documentation."
        ) from error
    return network
