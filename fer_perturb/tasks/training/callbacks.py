"""Further callbacks of Lightning's, or anybody's, in the fits of phases 1 and 3 (conf/callbacks)."""

from typing import Any

from pytorch_lightning import Callback

from fer_perturb.checked import made
from fer_perturb.errors import UserError


def callbacks_of(settings: dict[str, Any]) -> list[Callback]:
    """Name -> `_target_` and its arguments: made anew for each fit, as they have states.

    What they keep in `state_dict` comes back when a fit is resumed; checkpoints hold tensors and plain values alone.
    Raises UserError, naming the key, for what cannot be made, or is none.
    """
    callbacks = []
    for name, own in settings.items():
        key = f"callbacks.{name}"
        if not isinstance(own, dict):
            raise UserError(f"{key}={own}: expected _target_, the class of a callback, and its arguments.")
        callback = made(own, key)
        if not isinstance(callback, Callback):
            raise UserError(f"{key}._target_={own['_target_']}: expected a Callback of Lightning's.")
        callbacks.append(callback)
    return callbacks
