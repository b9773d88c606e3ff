"""`model=ensemble`: the mean of the logits of trained runs (paper, Table 2; the author's code adds them up)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fer_perturb.analysis.summary import finished_summary, made_of, summarise_ensemble, written_summary
from fer_perturb.errors import UserError
from fer_perturb.experiment.ensemble import Ensemble
from fer_perturb.runs.run_directory import describe_run, read_summary
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.training.write_predictions import write_table


def ensemble(of: Ensemble) -> tuple[Path, dict[str, Any]]:
    """The run of an ensemble from its members' predictions: its directory and its summary.

    Raises UserError, with the commands that train them, where members have not been trained.
    """
    members = {name: Chain(member) for name, member in of.members.items()}
    summaries = {name: finished_summary(chain) for name, chain in members.items()}
    if missing := [name for name, summary in summaries.items() if summary is None]:
        commands = "\n".join(f"  {of.commands[name]}" for name in missing)
        raise UserError(
            f"model={of.experiment.network.name}: {', '.join(missing)} not trained yet with this dataset, scheme, "
            f"recipe and seed (expected in {members[missing[0]].run.directory}, for one). "
            f"Train them first, with the same settings:\n{commands}"
        )
    run, settings = of.experiment.directory, of.experiment.settings
    found = {name: summary for name, summary in summaries.items() if summary}
    if (before := _averaged_before(of, found)) is not None:
        print(f"Finished before: {run}")
        return run, before
    describe_run(settings, run)
    for dataset in (of.experiment.data.name, *settings["test_on"]):
        file = Path("predictions", f"{dataset}.parquet")
        write_mean([chain.run.directory / file for chain in members.values()], run / file)
    return run, summarise_ensemble(of.experiment, found)


def finished_ensemble(of: Ensemble) -> dict[str, Any] | None:
    """The summary of an ensemble that is finished, of members that are; else None."""
    members = {name: finished_summary(Chain(member)) for name, member in of.members.items()}
    found = {name: summary for name, summary in members.items() if summary}
    return _averaged_before(of, found) if len(found) == len(members) else None


def _averaged_before(of: Ensemble, members: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    summary = written_summary(of.experiment.directory)
    if summary is None:
        return None
    same = summary.get("made_of") == made_of(members) and summary.get("tested_on") == of.experiment.tested_on()
    return summary if same else None


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
