"""A stand-in for Apple's GPU: tensors that say they lie on it, are kept on the CPU, and refuse float64 as it does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning_fabric.accelerators.mps as fabric_mps
import pytest
import torch
from pytorch_lightning.accelerators import MPSAccelerator
from torch.utils._python_dispatch import TorchDispatchMode

MPS = torch.device("mps", 0)
ACROSS = {torch.ops.aten.copy_, torch.ops.aten._to_copy, torch.ops.aten.index, torch.ops.aten.index_put_}


class OnMPS(torch.Tensor):
    """Values are those of `kept`. To torch's own code it lies on the device "meta", as that needs no driver."""

    kept: torch.Tensor

    @staticmethod
    def __new__(cls, kept: torch.Tensor) -> "OnMPS":
        if kept.dtype == torch.float64:
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework does not support float64"
            )
        layout: dict[str, Any] = {"strides": kept.stride(), "storage_offset": kept.storage_offset()}
        made: Any = torch.Tensor._make_wrapper_subclass(cls, kept.size(), dtype=kept.dtype, device="meta", **layout)
        made.kept = kept
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return MPS

    def tolist(self) -> Any:
        return self.kept.tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.kept.__reduce_ex__(protocol)

    def __repr__(self, **_: Any) -> str:
        return f"{self.kept!r} on {MPS}"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return calculate(func, args, kwargs or {})


class StandIn(TorchDispatchMode):
    """Sees to what is made on the device, and to what is brought to it."""

    def __enter__(self) -> Any:
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(…, device=…) makes its tensor on the CPU first
        return super().__enter__()

    def __exit__(self, *raised: Any) -> None:
        torch._C._set_only_lift_cpu_tensors(False)
        super().__exit__(*raised)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return calculate(func, args, kwargs or {})


def calculate(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What `func` gives, calculated on the CPU."""
    tensors: list[torch.Tensor] = []
    each((args, kwargs), tensors.append)
    there = [one for one in tensors if isinstance(one, OnMPS)]
    asked = kwargs.get("device")
    if not there and (asked is None or asked.type == "cpu"):
        return func(*args, **kwargs)
    operation = func._overloadpacket
    if there and operation not in ACROSS and any(one.ndim for one in tensors if not isinstance(one, OnMPS)):
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, {MPS} and cpu")
    stays = asked.type in ("mps", "meta") if asked is not None else bool(there)
    if operation is torch.ops.aten.copy_:
        stays = isinstance(args[0], OnMPS)
    if operation is torch.ops.aten._local_scalar_dense:
        stays = False
    plain: Any = each((args, kwargs), lambda one: one.kept if isinstance(one, OnMPS) else one)
    if asked is not None:
        plain[1]["device"] = torch.device("cpu")
    found = func(*plain[0], **plain[1])
    if not stays:
        return found
    same = {id(one.kept): one for one in there}  # what was changed in place
    return each(found, lambda one: same[id(one)] if id(one) in same else OnMPS(one))


def each(value: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """`value` with each tensor in its lists, tuples and dictionaries changed; torch's own takes ten times as long."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)([each(one, change) for one in value])
    if isinstance(value, dict):
        return {key: each(one, change) for key, one in value.items()}
    return value


@contextmanager
def mps_stand_in() -> Iterator[list[int]]:
    """A machine with Apple's GPU. The list holds the seeds that its random stream was started with."""
    seeds: list[int] = []
    with pytest.MonkeyPatch.context() as patch, StandIn():
        for accelerator in (MPSAccelerator, fabric_mps.MPSAccelerator):
            patch.setattr(accelerator, "is_available", staticmethod(lambda: True))
        patch.setattr(torch.mps, "manual_seed", seeds.append)
        yield seeds
