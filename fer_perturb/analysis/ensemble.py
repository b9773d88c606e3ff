"""`model=ensemble`: the mean of the logits of trained runs (paper, Table 2; the author's code adds them up)."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fer_perturb.analysis.summary import finished_summary, summarise_ensemble
from fer_perturb.data.packed import PackedData
from fer_perturb.errors import UserError
from fer_perturb.tasks.budget import within_budget
from fer_perturb.tasks.chain import Chain, FinishedPhase
from fer_perturb.tasks.other_datasets import with_canonical_names
from fer_perturb.tasks.precision import with_own_precision
from fer_perturb.tasks.predictions import write_table
from fer_perturb.tasks.run_directory import describe_run, read_summary, run_directory


def ensemble(config: DictConfig, data: PackedData) -> tuple[Path, dict[str, Any]]:
    """The run of an ensemble from its members' predictions: its directory and its summary.

    config: conf/train.yaml, composed, with `model.members`, which maps names to model configs. A member is the run that
    `model=<name>` with everything else the same has left. data: the dataset that they were trained on.
    Raises UserError, with the commands that train them, where members have not been trained.
    """
    if config.model.small_input or config.model.kwargs or config.model.attention.at:
        raise UserError(
            f"model={config.model.backbone}: model.small_input, model.kwargs and model.attention are its members', not "
            "its own. Set model.members.<name>.attention.at, for example."
        )
    configs = {name: _member(config, name, data) for name in config.model.members}
    members = {name: Chain(config, data, _shown_before) for name, config in configs.items()}
    summaries = {name: finished_summary(chain) for name, chain in members.items()}
    if missing := [name for name, summary in summaries.items() if summary is None]:
        commands = "\n".join(f"  {_command(name)}" for name in missing)
        raise UserError(
            f"model={config.model.backbone}: {', '.join(missing)} not trained yet with this dataset, scheme, recipe "
            f"and seed (expected in {members[missing[0]].run_directory}, for one). "
            f"Train them first, with the same settings:\n{commands}"
        )
    config = with_own_precision(with_canonical_names(config))
    run = run_directory(config)
    describe_run(config, run)
    for dataset in (data.name, *config.test_on):
        file = Path("predictions", f"{dataset}.parquet")
        write_mean([chain.run_directory / file for chain in members.values()], run / file)
    found = {name: summary for name, summary in summaries.items() if summary}
    return run, summarise_ensemble(config, run, data, found)


def members_of(run: Path) -> list[Path]:
    """The runs that the finished ensemble `run` is the mean of; none where it is no ensemble.

    Raises UserError where one does not lie beside it any more.
    """
    summary = read_summary(run, "run")
    found = []
    for name, hashed in summary.get("members", {}).items():
        dataset, pattern = run.resolve().parents[2], f"*/{summary['scheme']}/seed{summary['seed']}-{hashed}"
        directories = sorted(dataset.glob(pattern))
        if not directories:
            raise UserError(f"run={run} is a mean of runs, of which {name} is not at {dataset / pattern} any more.")
        found.append(directories[0])
    return found


def write_mean(paths: Sequence[Path], path: Path) -> None:
    """Writes the `mean_predictions` of the files `paths` to `path`."""
    write_table(path, mean_predictions(paths))


def mean_predictions(paths: Sequence[Path]) -> pa.Table:
    """Predictions (docs/design.md: contract) whose logits are the means, row by row, over those of the files `paths`.

    Raises UserError where the files do not hold the same images, views and test-time augmentation in the same order.
    """
    tables = [pq.read_table(path) for path in paths]
    first = tables[0]
    logits = [name for name in first.column_names if name.startswith("logit_")]
    for path, table in zip(paths, tables, strict=True):
        if table.column_names != first.column_names or not table.drop(logits).equals(first.drop(logits)):
            raise UserError(
                f"{path} does not hold the same rows as {paths[0]}, so that their logits cannot be averaged; expected "
                "the same images, views and test-time augmentation."
            )
    for name in logits:
        mean = np.mean([table[name].to_numpy() for table in tables], axis=0, dtype=np.float64)
        first = first.set_column(first.column_names.index(name), name, pa.array(mean.astype(np.float32)))
    return first


def _member(config: DictConfig, name: str, data: PackedData) -> DictConfig:
    """What `model=<name>` would have composed, within its budget; UserError, naming it, for a budget it cannot meet."""
    alone = config.copy()
    alone.model = config.model.members[name]
    try:
        return within_budget(alone, data)
    except UserError as error:
        raise UserError(f"model.members.{name}: {error}") from error


def _shown_before(phase: FinishedPhase) -> None:
    """A member is not trained here, so there is nothing to show."""


def _command(name: str) -> str:
    """The command that trains a member as the ensemble was asked for, with what was said of that member."""
    given = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    own = f"model.members.{name}."
    others = [
        override.replace(own, "model.")
        for override in given
        if own in override or not override.lstrip("+~").startswith("model")
    ]
    return shlex.join(["python", "-m", "fer_perturb.train", f"model={name}", *others])
