"""Every random draw is a function of (seed, what it is for), so that a resumed run equals an uninterrupted one."""

import hashlib


def derive(seed: int, *purpose: str | int) -> int:
    """A seed in [0, 2^31) for one purpose, such as `derive(seed, "step", epoch, step)`."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1
