"""README.md and docs/: links lead somewhere, every page is found, and README's Python runs."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.utils import instantiate

from fer_perturb.command_line.entry_point import conf_directory
from fer_perturb.command_line.words import all_keys, as_typed

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


def commands() -> list[tuple[str, str, list[str]]]:
    """Page, entry point and words of each whole command of this project that a page shows."""
    lines = [
        (page.name, shlex.split(line.replace("…", "x"), comments=True))
        for page in (README, *PAGES)
        for block in fenced(page.read_text(), "sh")
        for line in block.replace("\\\n", " ").splitlines()
    ]
    start = ["python", "-m"]
    ours = [(page, words) for page, words in lines if words[:2] == start and words[2].startswith("fer_perturb.")]
    return [(page, words[2].removeprefix("fer_perturb."), words[3:]) for page, words in ours]


def one_by_one(words: list[str]) -> list[tuple[str, ...]]:
    """The overrides of a command, with each choice that it sweeps over in turn."""
    parsed = OverridesParser.create().parse_overrides(words)
    values = [
        [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
        if override.is_sweep_override()
        else [word]
        for word, override in zip(words, parsed, strict=True)
    ]
    first = tuple(each[0] for each in values)
    swept = [(place, value) for place, each in enumerate(values) for value in each[1:] if not value[-1].isdigit()]
    return [first, *((*first[:place], value, *first[place + 1 :]) for place, value in swept)]


def test_commands_name_what_there_is() -> None:
    """Each choice and key that a page types, and that needs no folder of one's own, is one of conf/."""
    shown = [found for found in commands() if not {"--help", "--config-dir"} & set(found[2])]
    assert len(shown) > 20
    distinct = {
        (name, overrides): page
        for page, name, words in shown
        for overrides in one_by_one(as_typed([word for word in words if word != "-m"]))
    }
    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        for (name, overrides), page in distinct.items():
            try:
                compose(name, list(overrides))
            except HydraException as error:
                pytest.fail(f"{page}: {name} {' '.join(overrides)}: {error}")


OF_READERS = {"mine", "resnet_light"}  # what a reader makes, and a network of the commit that is named beside it
TYPED = re.compile(r"((?:scheme|dataset|model|attention_model|recipe|trainer|callbacks|logger)[\w/.@]*)(=?)(\S*)")


def test_keys_in_sentences_are_there() -> None:
    """So is each choice and key that stands between backticks."""
    given = [[], ["dataset=synthetic", "scheme/views=sample", "scheme=most_attended"]]
    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        trained = [compose("train", [*words, "model=resnet_small"]) for words in given]
        known = {key for config in (*trained, compose("prepare", ["dataset=folder"])) for key in all_keys(config, "")}
    for page in (README, *PAGES):
        code = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))
        for key, says, value in (found.groups() for word in " ".join(code).split() if (found := TYPED.fullmatch(word))):
            if (conf_directory() / key).is_dir():
                names = set(value.split(",")) - {"", "…", "null", *OF_READERS} if says else set()
                missing = {name for name in names if not (conf_directory() / key / f"{name}.yaml").is_file()}
                assert not missing, f"{page.name}: {key}={value}"
            elif "." in key and (says or key.startswith(("scheme.", "recipe."))):
                assert key in known, f"{page.name}: {key}"


def test_the_scheme_of_the_page_hides_half_of_each_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "your_own_scheme.md").read_text()
    (code,), (settings,) = fenced(page, "python"), fenced(page, "yaml")
    (tmp_path / "scheme").mkdir()
    (tmp_path / "scheme" / "random_halves.yaml").write_text(settings)
    (tmp_path / "random_halves.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        config = compose("train", [f"hydra.searchpath=[file://{tmp_path}]", "scheme=random_halves"])
    regions = instantiate(config.scheme.regions)
    batch = {"image": torch.zeros(5, 1, 48, 48, dtype=torch.uint8)}
    for maps in (regions.maps(batch, None), regions.testing_maps(batch, None, None)):
        assert (maps.shape, maps.dtype) == ((5, 48, 48), torch.int8)
        assert maps.float().mean((1, 2)).tolist() == pytest.approx([0.5] * 5, abs=0.03)
    assert (maps == maps[0]).all()
