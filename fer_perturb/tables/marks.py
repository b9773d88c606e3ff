"""Words in which `…` marks code."""

import re
from collections.abc import Callable

CODE = re.compile(r"`([^`]*)`")


def replaced(text: str, plain: Callable[[str], str], code: Callable[[str], str]) -> str:
    """The text with each piece rendered: what is not code, and what is."""
    return "".join(code(piece) if k % 2 else plain(piece) for k, piece in enumerate(CODE.split(text)))


def unmarked(text: str) -> str:
    """The text without the marks."""
    return CODE.sub(r"\1", text)
