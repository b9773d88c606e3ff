"""python -m fer_perturb.submit: a sweep's jobs, given to a cluster; and where they are."""

from pathlib import Path
from typing import Any, NoReturn

from omegaconf import DictConfig, OmegaConf, open_dict

from fer_perturb.command_line.composed import OF_SUBMIT, Composed, sweep_of_train
from fer_perturb.command_line.entry_point import entry_point
from fer_perturb.errors import UserError

ACTIONS = ("submit", "status")


def alone(config: DictConfig) -> NoReturn:
    """Refuses to run a job in this process."""
    raise UserError("submit starts no job in its own process: leave out launcher=basic, and srun or torchrun.")


def submit(jobs: list[Composed]) -> tuple[list[None], bool]:
    """Does with a sweep what its `action` says; whether any job has failed, or cannot work."""
    # here, not above, so that --help is fast
    from fer_perturb.sweeps.status import show_status
    from fer_perturb.sweeps.submission import submit as submit_to

    config = jobs[0].config
    outputs = Path(str(config.paths.outputs))
    if config.action not in ACTIONS:
        raise UserError(f"action={config.action}: expected {' or '.join(ACTIONS)}.")
    if config.action == "status":
        return [], show_status(outputs)
    engine: Any = OmegaConf.to_container(config.engine, resolve=True)
    trainer: Any = OmegaConf.to_container(config.trainer, resolve=True)
    for job in jobs:
        with open_dict(job.config):  # as `train` will have it
            for key in OF_SUBMIT:
                del job.config[key]
    words = sweep_of_train()
    return [], submit_to(jobs, words, outputs, engine, trainer, dry_run=config.sweep.dry_run)


def report(results: list[None], config: DictConfig) -> None:
    """There is nothing to report yet."""


main = entry_point("submit", alone, report, goes_on=True, sweep=submit)

if __name__ == "__main__":
    main()
