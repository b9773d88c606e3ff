"""Every random draw is a function of (seed, what it is for), so that a resumed run equals an uninterrupted one."""

import hashlib

import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A seed in [0, 2^31) for one purpose, such as `derive(seed, "step", epoch, step)`."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1


def seed_step(device: torch.device, seed: int) -> None:
    """Starts the random streams that a step draws from: the CPU's, and the GPU's (CUDA or MPS) where it runs on one.

    torch.manual_seed also queues the seed, with a stack trace, for each kind of device that is not in use.
    """
    torch.default_generator.manual_seed(seed)
    if device.type in ("cuda", "mps"):
        torch.get_device_module(device).manual_seed(seed)
