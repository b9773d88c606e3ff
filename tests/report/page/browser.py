"""A real browser, for the tests of the report's page: playwright drives a chromium that is there already."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "there is no chromium here to open the report in (on Debian: apt install chromium)"


def chromium() -> str | None:
    """Where a chromium lies, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def browser() -> Iterator[Any]:
    """Playwright's browser. Skips the test, with a sentence, where there is none."""
    found = chromium()
    if found is None:
        pytest.skip(MISSING)
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install -e '.[dev]')")
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if as_root else [])
        yield opened
        opened.close()


def axe() -> str:
    """axe-core's script, which lies in a package of its own."""
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
