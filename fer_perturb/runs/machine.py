"""What a machine is called: seconds that were measured on one do not compare with another's."""

import platform
from functools import cache
from pathlib import Path

import torch


def device_name(device: torch.device, count: int = 1) -> str:
    """The name of the GPU, or of the processor for any other device; "2 x …" for that many."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return name if count == 1 else f"{count} x {name}"


@cache
def processor() -> str:
    """The processor's name, as Linux says it; elsewhere what Python knows of it."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (named or [platform.processor() or platform.machine()])[0]
