"""The dashboard's command without training, without an account and without a network."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commanding import Commands, Shown
from composing import composed
from omegaconf import DictConfig
from reading import leaves, read_by

from fer_perturb.errors import UserError
from fer_perturb.runs import logs

CHAIN = "fer2013/vgg16/perturb/seed0-0a1b2c3d/logs"
WAYS = ("make dashboard", "make leet", "logger=tensorboard")


class BecameAnotherError(Exception):
    """What the process became; the rest of it is another program's."""


@pytest.fixture
def dashboard(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Shown | tuple[str, ...]]:
    """python -m fer_perturb.dashboard on tmp_path/outputs; its words, where it becomes another program."""

    def become(program: str, words: list[str]) -> None:
        assert program == words[0] == sys.executable
        raise BecameAnotherError(*words[1:])

    monkeypatch.setattr("os.execv", become)
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NETRC", "HOME", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "nobody"))

    def run(*words: str) -> Shown | tuple[str, ...]:
        try:
            return commands("dashboard", *words)
        except BecameAnotherError as error:
            return error.args

    return run


def offline_run(number: int, *, sent: bool = False) -> Path:
    run = Path("outputs", CHAIN, "wandb", f"offline-run-20260101_00000{number}-abc{number}")
    run.mkdir(parents=True)
    (run / f"run-abc{number}.wandb").touch()
    if sent:
        (run / f"run-abc{number}.wandb.synced").touch()
    return run


def known(monkeypatch: pytest.MonkeyPatch, answers: bool) -> None:
    monkeypatch.setattr("wandb.login", lambda **_: True)
    monkeypatch.setattr(logs, "answers", lambda address: answers)


def test_tensorboard_is_served_on_this_machine_alone(dashboard: Any) -> None:
    phase = Path("outputs", CHAIN, "predictor")
    phase.mkdir(parents=True)
    (phase / "events.out.tfevents.1.here.2.0").touch()
    assert dashboard("action=tensorboard") == (
        *("-m", "tensorboard.main", "--logdir", "outputs", "--host", "127.0.0.1"),
    )


def test_without_runs_of_tensorboard_s_those_of_wandb_s_are_named(dashboard: Any) -> None:
    assert dashboard("action=tensorboard").sentence == (
        "outputs has no run of TensorBoard's: train with logger=tensorboard."
    )
    offline_run(1)
    assert dashboard("action=tensorboard").sentence.endswith(
        "There are 1 runs of wandb's: make leet shows them in the terminal."
    )


def test_leet_sees_the_runs_of_all_chains_in_one_folder(dashboard: Any) -> None:
    gone, stays = offline_run(1), offline_run(2)
    assert dashboard("action=leet") == ("-m", "wandb", "leet", "outputs/.wandb")
    gone.rename("elsewhere")
    (Path("outputs/.wandb") / ".wandb-leet.json").touch()
    dashboard("action=leet")
    (link,) = Path("outputs/.wandb").glob("*run*")
    assert link.resolve() == stays.resolve()
    assert (Path("outputs/.wandb") / ".wandb-leet.json").exists()


def test_without_runs_one_is_told_how_to_make_them(dashboard: Any) -> None:
    for action in ("leet", "sync"):
        assert dashboard(f"action={action}").sentence == (
            "outputs has no offline run of wandb's: train with logger=wandb."
        )


def test_what_was_not_sent_is_sent(dashboard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, answers=True)
    offline_run(1, sent=True)
    runs = [offline_run(2), offline_run(3)]
    assert dashboard("action=sync") == ("-m", "wandb", "sync", *map(str, runs))
    for number in (2, 3):
        (runs[number - 2] / f"run-abc{number}.wandb.synced").touch()
    assert dashboard("action=sync").sentence == "All of wandb's runs under outputs have been sent."


@pytest.mark.parametrize("words", [("action=sync",), ()], ids=["sync", "publish"])
def test_without_a_key_or_a_network_a_sentence_names_the_ways_that_need_neither(
    dashboard: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    offline_run(1)
    told = dashboard(*words).sentence
    for advice in ("there is no key: run wandb login, or set WANDB_API_KEY", *WAYS):
        assert advice in told
    known(monkeypatch, answers=False)
    told = dashboard(*words).sentence
    for advice in ("which it does not (no network?)", *WAYS):
        assert advice in told


def test_a_workspace_and_a_report_are_published(dashboard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    known(monkeypatch, answers=True)
    for kind in (ws.Workspace, wr.Report):
        monkeypatch.setattr(kind, "save", lambda self: self)
        monkeypatch.setattr(kind, "url", property(lambda self: f"https://there/{self.entity}/{self.project}"))
    assert dashboard("entity=us", "project=faces").out == "Published: https://there/us/faces\n" * 2


def test_what_wandb_refuses_is_told(dashboard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb_workspaces.workspaces as ws

    def refuse(self: Any) -> None:
        raise ValueError("no such project")

    known(monkeypatch, answers=True)
    monkeypatch.setattr(ws.Workspace, "save", refuse)
    assert "no workspace or report of faces: no such project." in dashboard("entity=us", "project=faces").sentence


def test_without_wandb_workspaces_one_is_told(dashboard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    monkeypatch.delitem(sys.modules, "fer_perturb.report.wandb_views", raising=False)
    import fer_perturb.report

    monkeypatch.delattr(fer_perturb.report, "wandb_views", raising=False)
    told = dashboard().sentence
    for advice in ("pip install 'fer_perturb[dashboard]'", *WAYS):
        assert advice in told


def test_actions(dashboard: Any) -> None:
    assert dashboard("action=show").sentence == "action=show: expected publish, tensorboard, leet, sync."


def test_every_key_is_read(dashboard: Any) -> None:
    """But paths.data, which all entry points have."""
    from fer_perturb import dashboard as command

    def refused(config: DictConfig) -> None:
        with pytest.raises(UserError):
            command.dashboard(config)

    read, keys = set(), set(leaves(composed(name="dashboard")))
    for action in ("publish", "leet"):
        read |= read_by(refused, composed(f"action={action}", name="dashboard"))
    assert keys - read == {"paths.data"}
