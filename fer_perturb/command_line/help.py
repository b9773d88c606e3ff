"""What --help prints: the groups and keys that an entry point has, with the comments that explain them in conf/."""

import argparse
import textwrap
from collections.abc import Iterator, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.initialize import initialize_config_dir
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from fer_perturb.command_line.comments import Comments, read_comments

WIDTH = 120
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # in C where PyYAML was built so


def is_asked(words: Sequence[str]) -> bool:
    """Whether a command line asks for help."""
    return "--help" in words or "-h" in words


def help_text(config_name: str, words: Sequence[str], conf: Path) -> str:
    """The help of conf/<config_name>.yaml, composed with the words of the command line. Hydra's errors pass.

    Hydra's own help drops the comments, lists the groups of all entry points, and takes twice as long.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--config-dir", "-cd")
    given, others = parser.parse_known_args(words)
    overrides = [word for word in others if not word.startswith("-")]
    if given.config_dir:
        overrides.append(f"hydra.searchpath=['file://{Path(given.config_dir).absolute()}']")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        config = compose(config_name, overrides, return_hydra_config=True)
        loader = GlobalHydra.instance().config_loader()
        used = loader.compute_defaults_list(config_name, overrides, RunMode.RUN).defaults
    return _Help(config, [(default.config_path, default.package or "") for default in used]).text()


def groups_of(config: DictConfig) -> dict[str, list[str]]:
    """The choices of each group that the entry point of a composed config has, where there are several."""
    folders = _folders(config)
    found = {}
    for group in sorted(map(str, config.hydra.runtime.choices)):
        if "@" not in group and group.split("/")[0] != "hydra":
            places = [place for folder in folders if (place := folder.joinpath(group)).is_dir()]
            files = {file.name for place in places for file in place.iterdir()}
            found[group] = sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml"))
    return {group: names for group, names in found.items() if len(names) > 1}


def _folders(config: DictConfig) -> list[Traversable]:
    """Where Hydra looks for configs, the first first."""
    sources = config.hydra.runtime.config_sources
    of_packages = [files(source.path) for source in sources if source.schema == "pkg" and source.provider != "hydra"]
    return [*(Path(source.path) for source in sources if source.schema == "file"), *of_packages]


class _Help:
    """The help of a composed config; used: the files that it is made of, and under which keys they stand."""

    def __init__(self, config: DictConfig, used: list[tuple[str, str]]) -> None:
        self.header = str(config.hydra.help.header)
        self.chosen = {str(group): name for group, name in config.hydra.runtime.choices.items()}
        self.groups = groups_of(config)
        plain: Any = OmegaConf.to_container(config, resolve=False)
        self.keys = {key: value for key, value in plain.items() if key != "hydra"}
        self.comments: Comments = {}
        self.titles: dict[str, str] = {}
        for path, package in used:
            places = [folder.joinpath(f"{path}.yaml") for folder in _folders(config)]
            file = next((place for place in places if place.is_file()), None)
            if file and not path.startswith("hydra"):
                self.titles[path], found = read_comments(file.read_text(encoding="utf-8"))
                under = tuple(package.split(".")) if package else ()
                self.comments |= {(*under, *key): comment for key, comment in found.items()}

    def text(self) -> str:
        groups = "".join(f"{self._group(group, names)}\n" for group, names in self.groups.items())
        choose = f"Choose one of each (group=choice); in brackets is what is chosen:\n\n{groups}\n" if groups else ""
        keys = "\n".join(self._lines(self.keys, ()))
        return f"{self.header}\n{choose}Change any value (key.subkey=value):\n\n{keys}"

    def _group(self, group: str, names: list[str]) -> str:
        told = [f"[{name}]" if name == self.chosen[group] else name for name in names]
        indent = " " * (len(group) + 2)
        return textwrap.fill(f"{group}: {', '.join(told)}", WIDTH, subsequent_indent=indent, break_on_hyphens=False)

    def _lines(self, keys: dict[str, Any], under: tuple[str, ...]) -> Iterator[str]:
        for key, value in keys.items():
            path, indent = (*under, key), "  " * len(under)
            group = "/".join(path)
            inner = isinstance(value, dict) and bool(value)
            shown = f"{indent}{key}:" if inner else f"{indent}{key}: {_as_yaml(value)}"
            if title := self.titles.get(f"{group}/{self.chosen.get(group)}"):
                yield from _above(f"{group}={self.chosen[group]}: {title}", indent)
            comment = self.comments.get(path)
            if comment and len(line := f"{shown}  # {comment}") <= WIDTH:
                shown = line
            elif comment:
                yield from _above(comment, indent)
            yield shown
            if inner:
                yield from self._lines(value, path)


def _above(comment: str, indent: str) -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap(comment, WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False)


def _as_yaml(value: Any) -> str:
    dumped: str = yaml.dump(value, Dumper=DUMPER, default_flow_style=True, allow_unicode=True, width=10_000)
    return dumped.removesuffix("...\n").rstrip("\n")
