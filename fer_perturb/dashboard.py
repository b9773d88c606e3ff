"""python -m fer_perturb.dashboard: all runs together, at wandb or on this machine."""

from pathlib import Path

from omegaconf import DictConfig

from fer_perturb.command_line.entry_point import entry_point
from fer_perturb.errors import UserError, first_line


def dashboard(config: DictConfig) -> list[str]:
    """Does what `config` (conf/dashboard.yaml, composed) asks for: the addresses of what it has made at wandb.

    What is shown on this machine takes this process's place.
    """
    # here, not above, so that --help is fast
    from fer_perturb.runs import logs

    outputs = Path(str(config.paths.outputs))
    shown_here = {"tensorboard": logs.serve_tensorboard, "leet": logs.browse_wandb, "sync": logs.send_to_wandb}
    if config.action in shown_here:
        shown_here[config.action](outputs)
    elif config.action != "publish":
        raise UserError(f"action={config.action}: expected publish, {', '.join(shown_here)}.")
    return publish(config.project, config.entity)


def publish(project: str, entity: str | None) -> list[str]:
    """Makes a workspace and a report at wandb; their addresses. Another time makes others.

    Raises UserError without wandb-workspaces, an account or a network.
    """
    from fer_perturb.runs.logs import WITHOUT_ACCOUNT, require_account

    try:
        from fer_perturb.report import wandb_views
    except ImportError as error:
        raise UserError(
            "A workspace and a report at wandb need wandb-workspaces: pip install 'fer_perturb[dashboard]'. "
            + WITHOUT_ACCOUNT
        ) from error
    require_account("A workspace and a report can be made")
    import wandb

    try:
        owner = entity or str(wandb.Api().default_entity)
        made = wandb_views.workspace(project, owner).save(), wandb_views.report(project, owner).save()
    except Exception as error:  # whatever wandb's server says: the library raises plain ones
        raise UserError(f"wandb makes no workspace or report of {project}: {first_line(error)}") from error
    return [one.url for one in made]


def report(addresses: list[list[str]], config: DictConfig) -> None:
    """Says where they are."""
    for address in addresses[-1]:
        print(f"Published: {address}")


main = entry_point("dashboard", dashboard, report)

if __name__ == "__main__":
    main()
