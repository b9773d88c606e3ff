"""README.md and docs/: links lead somewhere, every page is found, and README's Python runs."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README, DOCS = ROOT / "README.md", ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def fenced(text: str, language: str) -> list[str]:
    """The code blocks of a page in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """A page without its code."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))


def links(page: Path) -> list[tuple[str, str]]:
    """Target and anchor of each link and picture that stays on this machine."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    parts = (target.partition("#") for target in found if "://" not in target)
    return [(target, anchor) for target, _, anchor in parts]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub names them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        place = (page.parent / target).resolve() if target else page
        assert place.exists(), f"{target} is not there"
        if page != README:  # the site holds no others
            assert place.is_relative_to(DOCS), f"{target} lies outside docs/"
        assert not anchor or anchor in anchors(place), f"{target}#{anchor}: no such heading"


def test_every_page_is_in_the_index_and_in_the_site() -> None:
    listed = {(DOCS / target).resolve() for target, _ in links(DOCS / "index.md")}
    assert set(PAGES) - {DOCS / "index.md"} <= listed
    site = (ROOT / "mkdocs.yml").read_text()
    nav = {
        DOCS / name for name in re.findall(r"[\w/]+\.md", site[site.index("nav:") : site.index("markdown_extensions:")])
    }
    assert nav == set(PAGES)


def test_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


def test_python_of_the_readme_runs() -> None:
    (block,) = fenced(README.read_text(), "python")
    names: dict[str, object] = {}
    exec(block, names)
    assert names["views"].shape == (4, 8, 1, 48, 48)  # type: ignore[attr-defined]
    assert sum(bool(line.strip()) for line in block.splitlines()) <= 10


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="needs fer_perturb[docs]")
def test_the_site_builds(tmp_path: Path) -> None:
    """With --strict: no page is left out, no link or docstring reference leads nowhere."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert built.returncode == 0, built.stderr
    assert "cluster_map" in (tmp_path / "api" / "perturb.html").read_text()
