"""python -m fer_perturb.search: settings that reach more on val, by trials that are ordinary runs."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from fer_perturb.command_line.entry_point import conf_directory, entry_point
from fer_perturb.command_line.words import composition_error
from fer_perturb.errors import UserError, say


def search(config: DictConfig) -> str:
    """Makes the trials that `config` (conf/search.yaml, composed) asks for and that are not made yet.

    What is to be said of them at the end: how many there are, and the command that trains and tests the best.
    """
    # here, not above, so that --help is fast
    if find_spec("optuna") is None:
        raise UserError("A search needs Optuna: pip install 'fer_perturb[search]'.")
    from fer_perturb.checked import made
    from fer_perturb.experiment.experiment import open_experiment
    from fer_perturb.report.phase_pictures import show_phase
    from fer_perturb.searching.space import command, distributions, lowest, overrides
    from fer_perturb.searching.study import Trials, study_name
    from fer_perturb.searching.trial import make_trials, refuse_what_cannot_work
    from fer_perturb.tasks.chain import Chain

    if "members" in config.model:
        raise UserError("model=ensemble has no training of its own: search for its members one by one.")
    asked = cast(dict[str, Any], OmegaConf.to_container(config.search, resolve=True))
    given = given_words()
    space = distributions(asked["space"], fixed={word.lstrip("+~").partition("=")[0] for word in given})

    def chain_of(point: dict[str, Any]) -> Chain:
        return Chain(open_experiment(composed([*given, *overrides(point)])), show_phase)

    first = chain_of(lowest(space))
    refuse_what_cannot_work(first)  # better now than trial by trial
    name = study_name(HydraConfig.get().runtime.choices["search"], first.experiment, asked["space"], asked["seed"])
    pruner = made(asked["pruner"], "search.pruner") if asked["pruner"] else None
    trials = Trials(Path(config.paths.outputs, "search"), name, space, asked["seed"], pruner)
    say(f"Search {name} in {trials.journal}")
    make_trials(trials, asked["trials"], chain_of)
    best = trials.best
    return (
        f"{trials.counted}. The best is trial {best.number}, {100 * best.values[0]:.2f} % on val. To test it:"
        f"\n\n  {command([*folder_of_configs(), *given, *overrides(best.params)])}"
    )


def given_words() -> list[str]:
    """The overrides of the command line for `train`, too: all but those of the search itself."""
    words: Sequence[str] = HydraConfig.get().overrides.task
    return [word for word in words if word.lstrip("+~").partition("=")[0].split(".")[0] != "search"]


def folder_of_configs() -> list[str]:
    """--config-dir of the command line, if there is one."""
    sources = HydraConfig.get().runtime.config_sources
    return [f"--config-dir={source.path}" for source in sources if source.provider == "command-line"]


def composed(words: list[str]) -> DictConfig:
    """conf/train.yaml with overrides. Raises UserError for those that it does not have."""
    try:
        return compose("train", words)
    except HydraException as error:
        raise composition_error(error, "train", words, conf_directory()) from error


def report(told: list[str], config: DictConfig) -> None:
    """Says how to train and test the best."""
    for text in told:
        print(f"\n{text}")


main = entry_point("search", search, report, goes_on=True)

if __name__ == "__main__":
    main()
