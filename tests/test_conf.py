"""Every config composes, every key is read, and conf/ goes where the package goes."""

import subprocess
import sys
import zipfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from commanding import command_of
from composing import choices, composed, small_overrides
from omegaconf import DictConfig, OmegaConf
from reading import leaves, read_by
from small_fer2013 import pictures, write_folder, write_zip

from fer_perturb.checked import made
from fer_perturb.command_line.entry_point import conf_directory
from fer_perturb.experiment.recipe import Recipe
from fer_perturb.schemes.scheme import scheme_from
from fer_perturb.searching.space import distributions, lowest, overrides

GROUPS = (
    *("dataset", "model", "attention_model", "scheme", "recipe"),
    *("trainer", "callbacks", "logger", "launcher", "scale", "experiment", "debug"),
)


@pytest.mark.parametrize(("group", "choice"), [(group, name) for group in GROUPS for name in choices(group)])
def test_every_config_composes(group: str, choice: str) -> None:
    fill = ["model.backbone=resnet18"] if (group, choice) == ("model", "timm") else []
    config = composed(f"{group}={choice}", *fill)
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    Recipe.from_settings(plain["recipe"], (48, 48))
    scheme_from(plain["scheme"])


@pytest.mark.parametrize("search", choices("search"))
def test_every_search_has_a_space_of_keys_that_there_are(search: str) -> None:
    config = composed(f"search={search}", name="search")
    plain: Any = OmegaConf.to_container(config.search, resolve=True, throw_on_missing=True)
    trained = composed(*overrides(lowest(distributions(plain["space"], fixed=()))))
    scheme_from(OmegaConf.to_container(trained.scheme, resolve=True))


@pytest.mark.parametrize("engine", choices("engine"))
def test_every_engine_can_be_made(engine: str) -> None:
    plain: Any = OmegaConf.to_container(composed(f"engine={engine}", name="submit").engine)
    assert made(plain, "engine").name == engine


@pytest.mark.parametrize("dataset", choices("dataset"))
def test_prepare_composes(dataset: str) -> None:
    config = composed(f"dataset={dataset}", name="prepare")
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)


WITHOUT_DATA = ("collect", "predict", "export", "report")
ENTRIES = ("train", "evaluate", "prepare", "landmarks", "contact_sheet", "look", *WITHOUT_DATA)
# read by nothing, though the package reads others of their names
PLANTED = {"dataset.epochs": 1, "dataset.drawing.kind": 1, "model.attention.count": 1, "split": 1}
# from a run's config.yaml, to name tables; by sweeps; by the sweeper of experiments
READ_LATER = ("recipe.name", "launcher.workers", "sweep.size")
SHARED = ("dataset", "paths", "trainer")  # groups of several entry points, each key of which one or the other reads
# of prepare alone, yet in others' configs: the one stands in the hashes of all runs that there are, the other in none
OF_PREPARE = ("dataset.resize", "dataset.reader.")


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The keys that each entry point reads in a rehearsal of its cases, down to its report."""
    data, outputs = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("outputs")
    zipped = write_zip(data / "fer2013.zip", pictures((3, 2, 2)))
    folder = write_folder(data / "pictures", pictures((6, 0, 2)))
    found: dict[str, set[str]] = {entry: set() for entry in ENTRIES}

    def rehearse(entry: str, *overrides: str) -> Any:
        module = command_of(entry)
        task = getattr(module, "make" if entry == "report" else entry)
        config, results = composed(*overrides, name=entry), []

        def run(config: DictConfig) -> None:
            results.append(task(config))
            module.report(results, config)

        found[entry] |= read_by(run, config)
        return results[0]

    given = small_overrides(data, outputs)
    paths, drawing = [f"paths.data={data}", f"paths.outputs={outputs}"], [o for o in given if "drawing" in o]
    rehearse("prepare", "dataset=synthetic", *drawing, *paths)
    rehearse("prepare", "dataset=fer2013", f"source={zipped}", *paths)
    rehearse("prepare", "dataset=folder", f"source={folder}", "dataset.val_share=0.2", *paths)
    rehearse("prepare", "dataset=maskfer", "dataset.of=synthetic", *paths)
    rehearse("landmarks", "dataset=synthetic", *drawing, *paths)
    rehearse("contact_sheet", "dataset=synthetic", "count=4", *drawing, *paths)
    rehearse("contact_sheet", "dataset=maskfer", "dataset.of=synthetic", "count=4", *paths)
    run, _ = rehearse("train", *given, "scheme/views=sample", *(f"+{key}={value}" for key, value in PLANTED.items()))
    rehearse("train", *given, "logger=wandb", "scheme=baseline", "budget=passes", f"budget_of={run}",
             "dataset.occluder=mouth", "recipe.epochs=3")  # fmt: skip
    of_run = [*paths, "trainer.accelerator=cpu", "trainer.enable_progress_bar=false", f"run={run}"]
    rehearse("evaluate", *of_run, "dataset=synthetic", *drawing, f"views_from={run}")
    rehearse("look", *of_run, "dataset=synthetic", *drawing, "images=7", f"out={outputs}")
    rehearse("collect", *paths)
    rehearse("report", *paths)
    rehearse("predict", *paths, f"run={run}", f"image={folder}", "faces=whole", "drawn=1")
    rehearse("export", *paths, f"run={run}", "format=torchscript")
    return found


def unread(config: DictConfig, entry: str, read: dict[str, set[str]]) -> list[str]:
    """The keys of an entry point's config that it does not read; where a group is shared, that none reads.

    What preparing alone reads is not for the others to have, as a run's hash tells it.
    """
    others = [of for name, of in read.items() if entry == "prepare" or name != "prepare"]
    by_any = {key for key in read["prepare"] if key.startswith(OF_PREPARE)}.union(*others)
    keys = [key for key in leaves(config) if key not in READ_LATER]
    return [key for key in keys if key not in (by_any if key.split(".")[0] in SHARED else read[entry])]


@pytest.mark.slow
def test_every_key_is_read(read: dict[str, set[str]]) -> None:
    for entry in WITHOUT_DATA:
        assert unread(composed(name=entry), entry, read) == [], entry
    for entry, dataset in product([name for name in ENTRIES if name not in WITHOUT_DATA], choices("dataset")):
        for logger in choices("logger") if entry == "train" else [None]:
            overrides = [f"dataset={dataset}", *([f"logger={logger}"] if logger else [])]
            assert unread(composed(*overrides, name=entry), entry, read) == [], (entry, overrides)


@pytest.mark.slow
def test_a_key_that_nothing_reads_is_found(read: dict[str, set[str]]) -> None:
    """Even though a run that has it takes the whole config, to hash it and to write it down."""
    config = composed("dataset=synthetic", *(f"+{key}={value}" for key, value in PLANTED.items()))
    assert sorted(unread(config, "train", read)) == sorted(PLANTED)


def test_taking_a_config_as_a_whole_is_not_reading() -> None:
    config = composed("dataset=synthetic")

    def take(config: DictConfig) -> None:
        OmegaConf.to_container(config, resolve=True)
        OmegaConf.to_yaml(config, resolve=True)
        config.copy()

    def some(config: DictConfig) -> None:
        again = config.copy()
        assert (again.dataset.drawing["seed"], again.get("budget")) == (0, "epochs")

    assert read_by(take, config) == set()
    assert read_by(some, config) == {"dataset", "dataset.drawing", "dataset.drawing.seed", "budget"}


def test_nor_are_making_settings_of_it_and_checking_hashing_and_copying_them() -> None:
    made: list[Any] = []

    def make(config: DictConfig) -> None:
        plain: Any = OmegaConf.to_container(config, resolve=True)
        recipe, scheme = Recipe.from_settings(plain["recipe"], (48, 48)), scheme_from(plain["scheme"])
        made[:] = [recipe, scheme, recipe.augmentation, scheme.views, scheme.regions]

    def take(config: DictConfig) -> None:
        for one in made:
            assert replace(one) == one
        made[1].identity()

    config = composed("dataset=synthetic")
    checked = {"scheme.views.fill", "scheme.regions.restarts", "recipe.mixup", "recipe.epochs"}
    assert not read_by(make, config) & {*checked, "recipe.augmentation.erase"}
    assert not read_by(take, config) & {*checked, "recipe.augmentation.erase"}
    assert read_by(lambda _: print(made[3].fill, made[2].erase, made[4].restarts), config) == {
        "scheme.views.fill", "recipe.augmentation.erase", "scheme.regions.restarts"
    }  # fmt: skip


@pytest.mark.slow
def test_a_wheel_carries_configs_and_votes_and_works_anywhere(tmp_path: Path) -> None:
    root = conf_directory().parent
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        str(root),
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(tmp_path),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(installed)
    ask = [sys.executable, "-m", "fer_perturb.train", "--cfg", "job", "scheme=position_only"]
    shown = subprocess.run(
        ask, cwd=tmp_path, env={"PYTHONPATH": str(installed)}, check=True, capture_output=True, text=True
    ).stdout
    assert "PositionAlone" in shown
    where = [sys.executable, "-c", "import fer_perturb.command_line.entry_point as c; print(c.conf_directory())"]
    found = subprocess.run(
        where, cwd=tmp_path, env={"PYTHONPATH": str(installed)}, check=True, capture_output=True, text=True
    ).stdout
    assert Path(found.strip()) == installed / "fer_perturb" / "conf"
    for carried in ("ferplus_votes.npz", "ferplus_LICENSE.txt"):
        assert (installed / "fer_perturb" / "data" / "ferplus" / carried).is_file()
    for carried in ("style.css", "script.js", "templates/page.html.j2"):
        assert (installed / "fer_perturb" / "report" / "page" / carried).is_file()
