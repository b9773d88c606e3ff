"""Words of the command line: paths and names as people type them, and what is told of those that Hydra cannot use."""

import os
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.initialize import initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from fer_perturb.command_line.help import groups_of
from fer_perturb.errors import UserError

PATHS = (
    *(
        "source",
        "votes",
        "run",
        "runs",
        "views_from",
        "budget_of",
        "roots",
        "image",
        "out",
        "paths.data",
        "paths.outputs",
    ),
)
NAMES = r"classes"
PATTERNS = r"dataset\.group|where"
MULTIRUN = r"-m|--multirun|hydra\.mode=MULTIRUN|\+?experiment=(?!null$).+"  # every experiment is one


def as_typed(words: Sequence[str]) -> list[str]:
    """The command line with the values of paths, patterns and where=, and the names in classes=[…], quoted for Hydra.

    What is quoted already, null, and ${…} are left to Hydra. In a multirun commas part the runs.
    """
    several = any(re.fullmatch(MULTIRUN, word) for word in words)
    return [_quoted_word(word, several) for word in words]


def _quoted_word(word: str, several: bool) -> str:
    found = re.fullmatch(rf"(\+{{0,2}}(?:{'|'.join(map(re.escape, PATHS))}|{NAMES}|{PATTERNS}))=(.*)", word, re.DOTALL)
    if not found or not found[2]:
        return word
    key, value = found.groups()
    if value == "null" or value[0] in "'\"" or value.startswith("${"):
        return word
    if re.fullmatch(PATTERNS, key):
        return f"{key}={_quoted(value)}"
    listed = value.startswith("[") and value.endswith("]")
    if re.fullmatch(NAMES, key):
        return f"{key}=[{','.join(_quoted(name) for name in _split(value[1:-1]))}]" if listed else word
    there = os.path.exists(value)  # noqa: PTH110, Path.exists raises for a name that is too long for a file
    if listed and not there:
        return f"{key}=[{','.join(_quoted(part) for part in _split(value[1:-1]))}]"
    parts = _split(value) if several and not there else [value]
    return f"{key}={','.join(_quoted(part) for part in parts)}"


def _split(value: str) -> list[str]:
    """The parts between commas that stand outside quotes, without the spaces around them."""
    parts = re.findall(r"""\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^,]*?)\s*(?:,|$)""", value)
    return parts[:-1] if parts and not parts[-1] else parts


def _quoted(text: str) -> str:
    """`text` in quotes, as Hydra's grammar has them; what is in quotes stays."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text
    escaped = re.sub(r"(\\*)(\"|$)", lambda found: found[1] * 2 + ('\\"' if found[2] else ""), text)
    return '"' + escaped.replace("${", r"\${") + '"'


def composition_error(error: Exception, config_name: str, words: Sequence[str], conf: Path) -> UserError:
    """What a person is told when Hydra cannot compose a config from the words of the command line."""
    if isinstance(error, OverrideParseException):
        key, is_value, value = error.override.partition("=")
        if not is_value:
            return UserError(f"{error.override}: expected key=value, such as seed=0 (see --help).")
        return UserError(f"{key}={value} cannot be read. One word or name is put in quotes twice: '{key}=\"…\"'.")
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        return UserError(f"{group}={name}: there is no such choice.{_near(name, error.options)}")
    for word in _overrides(words):
        key, _, value = word.lstrip("+~").partition("=")
        if f"'{key}'" in str(error) or f"merging override {word}" in str(error):
            config = _composed(config_name, words, conf)
            known, groups = list(all_keys(config, "")), groups_of(config)
            if word.startswith("+") and key in known:
                return UserError(f"{word}: {config_name} has this key already. Leave out the +.")
            if key not in known and (conf / key).is_dir():
                return UserError(
                    f"{word}: {config_name} has no such group. It has {', '.join(groups)} "
                    f"(python -m fer_perturb.{config_name} --help)."
                )
            if key in known or word.startswith("+"):
                cause = str(error.__cause__ or error).splitlines()[0]
                return UserError(f"{word} is no usable value: {cause}")
            return UserError(f"{key}: there is no such key.{_near(key, known)}")
    return UserError(" ".join(str(error).split()))


def refuse_unread(config: DictConfig, config_name: str, words: Sequence[str], conf: Path) -> None:
    """UserError for a word that adds (+) to the root of the composed config what its entry point does not have.

    Hydra takes it, and nothing would read it.
    """
    own = yaml.safe_load((conf / f"{config_name}.yaml").read_text(encoding="utf-8"))
    groups = [name for default in own["defaults"] if isinstance(default, dict) for name in default]
    known = {*own, *(name.split()[-1].partition("@")[0] for name in groups)} - {"defaults"}
    for word in words:
        key = word.lstrip("+").partition("=")[0]
        name = re.split(r"[./]", key.rpartition("@")[2])[0]
        if word.startswith("+") and name in config and name not in known:
            raise UserError(
                f"{word}: {config_name} has no {name}. It has {', '.join(sorted(known - {'hydra'}))} "
                f"(python -m fer_perturb.{config_name} --help)."
            )


def _near(name: str, among: Sequence[str]) -> str:
    near = get_close_matches(name, among, n=1, cutoff=0.6)
    meant = f" Did you mean {near[0]}?" if near else ""
    siblings = [key for key in among if key.rpartition(".")[0] == name.rpartition(".")[0]]
    return f"{meant} Expected one of {', '.join(sorted(siblings or {key.split('.')[0] for key in among}))}."


def _overrides(words: Sequence[str]) -> list[str]:
    return [word for word in words if "=" in word and not word.startswith("-")]


def _composed(config_name: str, words: Sequence[str], conf: Path) -> DictConfig:
    """The config that those words that can be used would compose, with Hydra's own part."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        usable: list[str] = []
        for word in _overrides(words):
            if "." not in word.partition("=")[0]:  # a group, whose choice decides what other keys there are
                try:
                    compose(config_name, [*usable, word])
                    usable.append(word)
                except HydraException:
                    continue
        return compose(config_name, usable, return_hydra_config=True)


def all_keys(node: DictConfig, under: str) -> Iterator[str]:
    """All keys and groups of a config, but for Hydra's own."""
    for key in node:
        name = f"{under}{key!s}"
        if name == "hydra":
            continue
        yield name
        child: Any = None if OmegaConf.is_missing(node, key) else node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none():
            yield from all_keys(child, f"{name}.")
