"""`recipe.precision=auto`: what the device computes in, decided before anything is named after it."""

from functools import cache
from typing import Any

import torch
from pytorch_lightning.accelerators import CUDAAccelerator, MPSAccelerator

from fer_perturb.errors import UserError, warn

AUTO = "auto"


def resolved_precision(asked: str, trainer: dict[str, Any]) -> str:
    """`auto` replaced by bf16-mixed where the device of conf/trainer computes in it, and else by 32-true.

    An explicit precision is kept; a line warns where the device only emulates it, which is many times slower. The run's
    hash, its directory and the keys of its phases follow, so that runs of two precisions never pass for one.
    Raises UserError for float16 on a CPU, where Lightning would train in another precision than the config says.
    """
    device = device_type(str(trainer["accelerator"]))
    if asked == AUTO:
        return "bf16-mixed" if computes_in_bf16(device) else "32-true"
    if str(asked).startswith("16-") and device == "cpu":
        raise UserError(f"recipe.precision={asked} needs a GPU; expected auto, 32-true or bf16-mixed on a CPU.")
    if str(asked).startswith("bf16") and not computes_in_bf16(device):
        _warn_of_emulation(asked, device)
    return asked


def precision_of_testing(trained_in: str, trainer: dict[str, Any], what: str) -> str:
    """In which precision `what`, trained in another, is tested: in 32-true, with a line that says so, where that was
    float16 and the device is a CPU, which has none."""
    if not trained_in.startswith("16-") or device_type(str(trainer["accelerator"])) != "cpu":
        return trained_in
    warn(f"{what} was trained in recipe.precision={trained_in}, which needs a GPU; it is tested in 32-true here.")
    return "32-true"


def device_type(accelerator: str) -> str:
    """cpu, cuda or mps (or another accelerator's own name): what Lightning takes for `trainer.accelerator`."""
    if accelerator in ("auto", "gpu"):
        if MPSAccelerator.is_available():
            return "mps"
        if CUDAAccelerator.is_available() or accelerator == "gpu":
            return "cuda"
        return "cpu"
    return accelerator


def computes_in_bf16(device: str) -> bool:
    """Whether a device of that type multiplies bfloat16 in hardware: Nvidia's from Ampere on; a CPU with AVX512_BF16,
    AMX or Arm's bf16, and a oneDNN that may use it. Apple's GPUs gain nothing by it, so they do not count."""
    if device == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "cpu":
        found = torch.cpu.get_capabilities()
        has = any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
        # oneDNN's answer heeds ONEDNN_MAX_CPU_ISA, and is yes for any AVX-512
        return has and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return False


@cache
def _warn_of_emulation(precision: str, device: str) -> None:
    warn(
        f"recipe.precision={precision}: this {device.upper()} only emulates bfloat16, which is several times slower "
        "than recipe.precision=32-true."
    )
