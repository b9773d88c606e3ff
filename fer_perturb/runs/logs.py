"""The files that runs' loggers leave, and the programs of others that show them or send them away."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from fer_perturb.errors import UserError, say
from fer_perturb.services import answers

RUNS = "*/*/*/seed*/logs"  # <dataset>/<model>/<scheme>/seed<k>-<h8>/logs
BROWSED = ".wandb"  # under outputs: a folder as `wandb leet` looks through it
WITHOUT_ACCOUNT = (
    "Without an account: make dashboard serves runs trained with logger=tensorboard on this machine, and make leet "
    "shows runs trained with logger=wandb in the terminal."
)


def wandb_runs(outputs: Path) -> list[Path]:
    """The folders of wandb's offline runs, the oldest first."""
    return sorted(outputs.glob(f"{RUNS}/wandb/offline-run-*"), key=lambda run: run.name)


def serve_tensorboard(outputs: Path) -> NoReturn:
    """TensorBoard, on localhost; it takes this process's place. UserError where there is nothing to show."""
    if find_spec("tensorboard") is None:
        raise UserError("TensorBoard is not installed: pip install 'fer_perturb[tensorboard]'")
    if next(outputs.glob(f"{RUNS}/*/events.out.tfevents.*"), None) is None:
        others = len(wandb_runs(outputs))
        told = f" There are {others:,} runs of wandb's: make leet shows them in the terminal." if others else ""
        raise UserError(f"{outputs} has no run of TensorBoard's: train with logger=tensorboard.{told}")
    become("tensorboard.main", "--logdir", str(outputs), "--host", "127.0.0.1")


def browse_wandb(outputs: Path) -> NoReturn:
    """`wandb leet` on all offline runs; it takes this process's place. UserError where there are none."""
    runs = _found(outputs)
    folder = outputs / BROWSED
    folder.mkdir(exist_ok=True)
    for link in folder.glob("offline-run-*"):
        link.unlink()
    for run in runs:  # each chain has a folder of its own for its runs, and leet looks into one
        (folder / run.name).symlink_to(run.resolve())
    become("wandb", "leet", str(folder))


def send_to_wandb(outputs: Path) -> NoReturn:
    """`wandb sync` on the offline runs that have not been sent; it takes this process's place.

    UserError where there are none, or without an account or a network.
    """
    runs = [run for run in _found(outputs) if not list(run.glob("*.wandb.synced"))]
    if not runs:
        raise UserError(f"All of wandb's runs under {outputs} have been sent.")
    require_account(f"{len(runs):,} offline runs under {outputs} can be sent")
    say(f"Sending {len(runs):,} runs, with their pictures of faces.")
    become("wandb", "sync", *map(str, runs))


def require_account(what: str) -> None:
    """UserError, saying what is possible with it, where this machine has no key of wandb's, or no way there."""
    import wandb

    address = wandb.setup().settings.base_url
    if not wandb.login(prompt=False, verify=False):
        raise UserError(
            f"{what} once wandb knows you, and there is no key: run wandb login, or set WANDB_API_KEY. "
            f"{WITHOUT_ACCOUNT}"
        )
    if not answers(address):
        raise UserError(f"{what} once {address} answers, which it does not (no network?). {WITHOUT_ACCOUNT}")


def _found(outputs: Path) -> list[Path]:
    runs = wandb_runs(outputs)
    if not runs:
        raise UserError(f"{outputs} has no offline run of wandb's: train with logger=wandb.")
    return runs


def become(module: str, *words: str) -> NoReturn:
    """This process becomes python -m <module> <words>, which so gets its signals, and gives its exit status."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *words])
