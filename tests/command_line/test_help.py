"""--help: an entry point's own groups and keys, with the comments of conf/."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from commanding import Commands
from composing import choices, composed
from generated_runs import generated_runs
from omegaconf import OmegaConf

from fer_perturb.command_line.comments import read_comments

OWN = {
    "train": {
        *("attention_model", "callbacks", "dataset", "debug", "experiment", "launcher", "logger", "model", "recipe"),
        *("scale", "scheme", "scheme/attention", "scheme/regions", "scheme/views", "trainer"),
    },
    "evaluate": {"dataset", "trainer"},
    "prepare": {"dataset"},
    "landmarks": {"dataset"},
    "contact_sheet": {"dataset"},
    "look": {"dataset", "trainer"},
    "collect": set(),
    "predict": set(),
    "export": set(),
    "report": set(),
}
OWN["search"] = {*OWN["train"], "search"}
OWN["submit"] = {*OWN["train"], "engine"}


def parts(shown: str) -> tuple[dict[str, str], str]:
    """Group -> its choices, and the keys as YAML."""
    found = re.search(r"(?:Choose one of each.*?:\n\n(.*?)\n\n)?Change any value.*?:\n\n(.*)", shown, flags=re.DOTALL)
    assert found
    groups = (found[1] or "").replace("\n ", " ")
    return dict(line.split(": ", 1) for line in groups.splitlines()), found[2]


@pytest.mark.parametrize("module", OWN)
def test_its_own_groups_and_every_key(
    commands: Commands, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = commands(module, "--help")
    assert shown.status == 0, shown
    assert f"python -m fer_perturb.{module} " in shown.out
    groups, keys = parts(shown.out)
    assert set(groups) == OWN[module]
    for group, told in groups.items():
        assert [name.strip(" []") for name in told.split(",")] == choices(group)
    assert OmegaConf.create(keys) == composed(name=module)
    assert not list(tmp_path.iterdir())


def test_keys_have_their_comments_and_choices_their_words(commands: Commands) -> None:
    _, keys = parts(commands("train", "-h", "scheme=baseline", "seed=7").out)
    lines = keys.splitlines()
    assert "seed: 7" in lines
    assert "# scheme=baseline: The plain network: nothing is hidden, so the image itself is the only view." in lines
    assert "  tta: flip  # test-time augmentation: none, flip, or ten (crops)" in lines
    occluder = lines.index("  occluder: none")
    assert lines[occluder - 3].startswith("  # hides a part of each face: mask, mouth")
    assert "    lr: 0.003" in lines, "quick's, of which cpu's yaml says more"
    assert "    fused: true  # one pass over the weights" in lines
    assert max(map(len, lines)) <= 120


def test_configs_of_others_are_among_them(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "mine.yaml").write_text("# My own.\ndefaults: [cpu]\nname: mine\nepochs: 9 # enough\n")
    groups, keys = parts(commands("train", f"--config-dir={tmp_path}", "recipe=mine", "--help").out)
    assert "[mine]" in groups["recipe"]
    assert "# recipe=mine: My own.\nrecipe:" in keys
    assert "  epochs: 9  # enough" in keys.splitlines()


def test_what_cannot_be_composed_is_said(commands: Commands) -> None:
    assert "Did you mean baseline?" in commands("train", "--help", "scheme=baselin").sentence


WITH_HELP = ("train", "search", "submit", "predict", "look", "collect", "report")
HELP = [*([name, "--help"] for name in WITH_HELP), ["collect", "roots=."]]


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_it_needs_no_torch(words: list[str], tmp_path: Path) -> None:
    """Nor does collect at all."""
    generated_runs(tmp_path, [["scheme=baseline"]], [0])
    module, *given = words
    name = f"fer_perturb.{module}" + (".__main__" if module == "report" else "")
    ask = f"import sys; from {name} import main; main(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", ask, *given], check=True, capture_output=True, cwd=tmp_path)


def test_comments_beside_and_above() -> None:
    text = """# @package _global_
# What it is,
# in two lines.
defaults: [a] # not a key
# above,
# and more
first: 1 # and beside
second: [1, "#2"] # a list
third: # of a mapping
  inner: "a # b" # said
  # indented
  none:

  deep: {x: 1}
# at the end
"""
    title, found = read_comments(text)
    assert title == "What it is, in two lines."
    assert found == {
        ("defaults",): "not a key",
        ("first",): "above, and more and beside",
        ("second",): "a list",
        ("third",): "of a mapping",
        ("third", "inner"): "said",
        ("third", "none"): "indented",
    }
    assert read_comments("# Nothing.\n{}\n") == ("Nothing.", {})
    assert read_comments("") == ("", {})
