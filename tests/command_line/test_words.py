"""Words of the command line: taken as they are typed, or refused in a sentence that says what to type."""

from pathlib import Path

import pytest
from commanding import Commands
from composing import choices
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fer_perturb.command_line.entry_point import conf_directory, expand_home
from fer_perturb.command_line.words import as_typed

PATHS = (
    "archive (1).zip", "a=b", "a,b", "it's", 'say "so"', "#1", "données/visages", "表情.zip", "a [1]", "{x}", "x:y",
    "a\\b", "ends with \\", "$HOME", "50%", "null.zip", "true", "1e5", "  spaces ", "a;b", "-x", "@home", "a&b",
)  # fmt: skip


def read(word: str) -> object:
    """What Hydra makes of the one word that `as_typed` makes of a word."""
    (override,) = OverridesParser.create().parse_overrides(as_typed([word]))
    node = OmegaConf.create({"value": override.value()})
    return node.value if not OmegaConf.is_list(node.value) else OmegaConf.to_container(node.value)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", ["source", "run", "paths.data", "+budget_of"])
def test_a_path_is_taken_as_it_is_typed(key: str, path: str) -> None:
    assert str(read(f"{key}={path}")) == path


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1).filter(lambda t: t[0] not in "'\"[")
)
def test_so_is_any_text(path: str) -> None:
    assert path in ("null",) or path.startswith("${") or str(read(f"source={path}")) == path


@pytest.mark.parametrize("word", ["source='a b'", 'source="a b"'])
def test_what_is_quoted_already_stays(word: str) -> None:
    assert read(word) == "a b"


def test_null_stays_null() -> None:
    assert read("run=null") is None


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("[calm,tense]", ["calm", "tense"]),
        ("[true,null,1,1.0]", ["true", "null", "1", "1.0"]),
        ("[dégoût, joie]", ["dégoût", "joie"]),
        ("['a,b',\"c d\"]", ["a,b", "c d"]),
        ("[it's,so so]", ["it's", "so so"]),
        ("[a]", ["a"]),
    ],
)
def test_names_of_classes_are_taken_as_they_are_typed(typed: str, names: list[str]) -> None:
    assert read(f"classes={typed}") == names


@pytest.mark.parametrize("pattern", [r"^S\d{1,3}_", "[0-9]", "(a|b),c", "^(S[0-9]+)_", "a=b", "é+"])
def test_a_pattern_is_taken_as_it_is_typed(pattern: str) -> None:
    assert read(f"dataset.group={pattern}") == pattern


@pytest.mark.parametrize("word", ["-m", "--multirun", "hydra.mode=MULTIRUN", "experiment=demo", "+experiment=demo"])
def test_a_multirun_over_runs(word: str) -> None:
    assert as_typed(["run=a b,c", word]) == ['run="a b","c"', word]


@pytest.mark.parametrize("words", [[], ["experiment=null"], ["hydra.mode=RUN"]], ids=str)
def test_one_run(words: list[str]) -> None:
    assert as_typed(["run=a b,c", *words]) == ['run="a b,c"', *words]


@pytest.mark.parametrize("experiment", choices("experiment"))
def test_every_experiment_is_a_multirun(experiment: str) -> None:
    config = OmegaConf.load(conf_directory() / "experiment" / f"{experiment}.yaml")
    assert OmegaConf.select(config, "hydra.mode") == "MULTIRUN"


def test_a_list_may_be_longer_than_a_file_s_name() -> None:
    runs = [f"outputs/synthetic/resnet_tiny/perturb/seed{seed}-0123456789" for seed in range(110)]
    assert read(f"run=[{','.join(runs)}]") == runs
    assert as_typed(["-m", f"run={','.join(runs)}"])[1].count('","') == 109


def test_other_words_are_left_to_hydra() -> None:
    words = ["scheme=baseline,perturb", "-m", "model.attention.at=[input]", "seed=0", "--help", "dataset=folder"]
    assert as_typed(words) == words


def test_no_run_leaves_the_folder_of_outputs(tmp_path: Path, commands: Commands) -> None:
    words = (f"paths.data={tmp_path / 'data'}", f"paths.outputs={tmp_path / 'outputs'}")
    told = commands("train", "dataset=folder", "dataset.name=../outside", *words).sentence
    assert "dataset.name=../outside: expected a plain name for a folder" in told
    assert not list(tmp_path.iterdir())


def test_the_home_folder() -> None:
    config = OmegaConf.create({"source": "~/a", "paths": {"data": "~", "outputs": "a~b"}})
    expand_home(config)
    assert config == {"source": str(Path.home() / "a"), "paths": {"data": str(Path.home()), "outputs": "a~b"}}


def test_a_home_that_nobody_has(tmp_path: Path, commands: Commands) -> None:
    told = commands("prepare", "dataset=fer2013", "source=~nobody-of-this-name/fer.zip", f"paths.data={tmp_path}")
    assert "~nobody-of-this-name/fer.zip" in told.sentence


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["scheme=nope"], ["scheme=nope: there is no such choice.", "baseline", "perturb_image"]),
        (["scheme=pertub"], ["Did you mean perturb?"]),
        (["-m", "scheme=baseline,pertub"], ["scheme=pertub: there is no such choice. Did you mean perturb?"]),
        (
            ["scheme.regions.n_cluster=3"],
            ["scheme.regions.n_cluster: there is no such key. Did you mean scheme.regions.n_clusters?"],
        ),
        (["scheme.scope=image"], ["this key has another name now: scheme/regions=image"]),
        (["-m", "scheme.views=all,sample"], ["now: scheme/views=all,sample"]),
        (["scheme.n_clusters=4"], ["now: scheme.regions.n_clusters=4"]),
        (["dataset.coverage=0.5"], ["now: dataset.occluder=mouth@0.5, or whichever feature it is"]),
        (["dataset.fill=skin"], ["now: dataset.occluder=mouth@1-skin, or"]),
        (["logger.kind=csv"], ["now: logger=csv"]),
        (["recipe.grow_from=32"], ["now: recipe.initial_size=32"]),
        (["recipe.augmentation.light=0.5"], ["now: recipe.augmentation.jitter=0.5"]),
        (["+trainer.strategy=ddp"], ["+trainer.strategy=ddp: train has this key already. Leave out the +."]),
        (["scheme=baseline", "recipe.epoch=3"], ["recipe.epoch: there is no such key. Did you mean recipe.epochs?"]),
        (["dataset=synthetic", "dataset.drawing.trian=3"], ["Did you mean dataset.drawing.train?"]),
        (["dataset=folder", "dataset.val_share=0.2"], ["dataset.val_share: there is no such key."]),  # prepare has it
        (["shceme=baseline"], ["shceme: there is no such key. Did you mean scheme?"]),
        (["experiment=nope"], ["experiment=nope: there is no such choice.", "table1"]),
        (["experiment=demo", "recipe.epoch=3"], ["Did you mean recipe.epochs?"]),
        (["seed"], ["seed: expected key=value"]),
        (["seed=[1"], ["seed=[1 cannot be read"]),
        (["scheme.views.fill=a (b"], ["scheme.views.fill=a (b cannot be read", "'scheme.views.fill=\"…\"'"]),
        (["~scheme.nothing"], ["scheme.nothing"]),
        (["+scheme=baseline"], ["scheme"]),
    ],
    ids=str,
)
def test_what_hydra_cannot_use_is_said_in_a_sentence(commands: Commands, words: list[str], says: list[str]) -> None:
    told = commands("train", *words).sentence
    for part in says:
        assert part in told


@pytest.mark.parametrize(
    ("module", "word", "says"),
    [
        ("evaluate", "model=resnet", "model=resnet: evaluate has no such group. It has dataset, trainer ("),
        ("evaluate", "scheme/views=all", "scheme/views=all: evaluate has no such group."),
        ("prepare", "recipe=quick", "recipe=quick: prepare has no such group. It has dataset ("),
    ],
)
def test_a_group_of_another_entry_point(commands: Commands, module: str, word: str, says: str) -> None:
    told = commands(module, word).sentence
    assert told.startswith(says)
    assert f"python -m fer_perturb.{module} --help" in told


@pytest.mark.parametrize(
    ("module", "word", "name"),
    [
        ("evaluate", "+model=resnet", "model"),
        ("evaluate", "+scheme.inference=views", "scheme"),
        ("train", "++sede=1", "sede"),
        ("prepare", "+dataset@other=folder", "other"),
    ],
)
def test_nothing_is_added_that_nothing_would_read(commands: Commands, module: str, word: str, name: str) -> None:
    told = commands(module, word).sentence
    assert told.startswith(f"{word}: {module} has no {name}. It has ")
    assert f"python -m fer_perturb.{module} --help" in told


def test_a_group_of_one_s_own_may_be_added(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "short.yaml").write_text("# @package _global_\nrecipe:\n  epochs: 0\n")
    told = commands(
        "train", "--config-dir", str(tmp_path), "+mine=short", "debug=quick", f"paths.data={tmp_path}"
    ).sentence
    assert told.startswith("recipe.epochs=0")
