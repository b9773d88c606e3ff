"""python -m fer_perturb.train: attention classifier, clustering, predictor, test."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fer_perturb.command_line.composed import Composed
from fer_perturb.command_line.entry_point import entry_point
from fer_perturb.errors import UserError


def train(config: DictConfig) -> tuple[Path, dict[str, Any]] | None:
    """Runs the chain that `config` (conf/train.yaml, composed) describes, or averages the runs of an ensemble.

    Returns the run's directory and its summary; None where another process of the same run does that.

    A run that is finished is not run again; one that was interrupted goes on.
    """
    # here, not above, so that --help is fast
    from fer_perturb.analysis.ensemble import ensemble
    from fer_perturb.analysis.summary import finished_summary, summarise
    from fer_perturb.experiment.ensemble import open_ensemble
    from fer_perturb.experiment.experiment import open_experiment
    from fer_perturb.processes import is_first, of_first
    from fer_perturb.report.experiment_tables import table_of
    from fer_perturb.report.phase_pictures import show_phase
    from fer_perturb.tasks.chain import Chain

    if config.sweep.dry_run:
        raise UserError("sweep.dry_run=true is of sweeps: expected -m, or experiment=, beside it.")
    if config.table is not None:
        table_of(config.table)  # better refused now
    if "members" in config.model:
        return ensemble(open_ensemble(config)) if is_first() else None
    chain = Chain(open_experiment(config), show_phase)
    chain.run.join()
    run, summary = chain.run.directory, of_first(lambda: finished_summary(chain))
    if summary is None:
        phases = chain.finish()  # attention classifier, clustering, predictor, each reading what the one before left
        summary = of_first(lambda: summarise(chain, phases))
    elif is_first():
        print(f"Finished before: {run}")
    return (run, summary) if is_first() else None


def report(finished: list[tuple[Path, dict[str, Any]]], config: DictConfig) -> None:
    """Prints the table of all runs of this command, and draws what the experiment is for."""
    from fer_perturb.report.experiment_tables import write_tables
    from fer_perturb.report.run_table import class_table, print_runs
    from fer_perturb.tables.terminal import print_table

    for _, summary in finished:
        print_table(class_table(summary))
    print_runs([summary for _, summary in finished], [run for run, _ in finished])
    if config.table is not None:
        written = write_tables(config.table, finished, Path(config.paths.outputs))
        for page, exhibit in written.items():
            for table in exhibit.tables:
                print_table(table)
            print(f"Written to {page}, and beside it as csv, html and tex")
        if not written:
            print(f"These runs alone do not make a {config.table}: it needs all of its experiment's.")


def sweep(jobs: list[Composed]) -> tuple[list[tuple[Path, dict[str, Any]]], bool]:
    """Runs the jobs of a sweep, each in a process of its own: those that succeeded, and whether any failed."""
    from fer_perturb.report.experiment_tables import table_of
    from fer_perturb.sweeps.sweep import sweep as run_jobs

    config = jobs[0].config
    if config.table is not None:
        table_of(config.table)
    trainer: Any = OmegaConf.to_container(config.trainer, resolve=True)
    return run_jobs(jobs, config.launcher.workers, trainer, dry_run=config.sweep.dry_run)


main = entry_point("train", train, report, goes_on=True, sweep=sweep)

if __name__ == "__main__":
    main()
