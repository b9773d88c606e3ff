"""Networks and services that are not there: one sentence, soon, and what it advises works."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer
from threading import Thread
from typing import Any

import pytest
import timm
import torch
import wandb
from commanding import Commands, Shown
from composing import small_overrides
from forking import forked
from huggingface_hub import constants
from safetensors.torch import save_file

from fer_perturb import services
from fer_perturb.errors import UserError
from fer_perturb.models.build import build_network, check_network
from fer_perturb.models.create import UnavailableWeightsError

NOWHERE = "http://127.0.0.1:9"  # whoever listens there discards
HUB = "timm/test_resnet.r160_in1k"
SHORT = ("recipe.epochs=1", "recipe.scheduler.pct_start=0.5", "trainer.limit_val_batches=1")
no_traceback = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # on stderr else
Train = Callable[..., Shown]


@pytest.fixture
def train(commands: Commands, data_directory: Path, tmp_path: Path) -> Train:
    """A short training into tmp_path/outputs, with further words."""

    def run(*words: str) -> Shown:
        groups = {word.partition("=")[0] for word in words}
        usual = [
            word for word in small_overrides(data_directory, tmp_path / "outputs") if word.split("=")[0] not in groups
        ]
        return commands("train", *usual, *SHORT, *words)

    return run


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a service that answers, and knows nothing."""

    class Unknown(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(404)

        def do_GET(self) -> None:
            self.send_error(404)

        def do_POST(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Unknown)
    Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a service that never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(autouse=True)
def nobody_asked_before() -> Iterator[None]:
    """Whether a service answers is remembered, by its address."""
    services.answers.cache_clear()
    yield
    services.answers.cache_clear()


@pytest.fixture
def nonsense() -> Iterator[str]:
    """The address of a service that answers, but not in HTTP."""

    class Nonsense(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1000)
            self.request.sendall(b"what?\r\n\r\n")

    with TCPServer(("127.0.0.1", 0), Nonsense) as served:
        Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()


def test_who_answers(server: str, silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "PATIENCE", 0.5)
    assert services.answers(server)
    assert not services.answers(silent)
    assert not services.answers("http://name.invalid")
    monkeypatch.setattr(services, "PATIENCE", 60.0)
    assert not services.answers(NOWHERE)  # refused: said at once, whatever the patience


@pytest.mark.parametrize("address", ["hf-mirror.com", "", "http://", "http://a b", "http://[", "https://host:port"])
@no_traceback
def test_what_is_no_address_does_not_answer(address: str) -> None:
    assert not services.answers(address)


@no_traceback
def test_what_is_no_http_does_not_answer(nonsense: str) -> None:
    assert not services.answers(nonsense)


def test_each_is_asked_once(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = services._answers

    def counted(url: str) -> bool:
        asked.append(url)
        return ask(url)

    monkeypatch.setattr(services, "_answers", counted)
    assert [services.answers(url) for url in (server, NOWHERE, server, NOWHERE)] == [True, False, True, False]
    assert asked == [server, NOWHERE]


# ------------------------------------------------------------------------------------------------ trained weights


@pytest.fixture
def no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty cache of a hub that is not there; whoever would wait to try it again fails."""
    monkeypatch.setattr(constants, "ENDPOINT", NOWHERE)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def tries_again(seconds: float) -> None:
        raise AssertionError(f"would wait {seconds} s and try again")

    monkeypatch.setattr(time, "sleep", tries_again)
    return tmp_path / "hub"


@pytest.mark.parametrize("small_input", ["true", "false"])
def test_trained_weights_without_a_network(no_hub: Path, train: Train, small_input: str) -> None:
    words = ("scheme=baseline", "model=timm", "model.backbone=test_resnet", f"model.small_input={small_input}")
    told = train(*words, "+model.kwargs.pretrained=true").sentence
    assert "the weights of test_resnet cannot be fetched from the Hugging Face hub (no network?)" in told
    assert told.startswith("model.kwargs.pretrained: ")
    assert constants.HF_HUB_OFFLINE is False


def test_without_them_it_trains_as_the_message_says(train: Train) -> None:
    words = ("scheme=baseline", "model=timm", "model.backbone=test_resnet", "model.small_input=true")
    assert train(*words).status == 0


def test_what_was_fetched_before_is_found_without_a_network(no_hub: Path) -> None:
    with pytest.raises(UnavailableWeightsError, match="run the command once: they are kept"):
        build_network("test_resnet", num_classes=7, kwargs={"pretrained": True})
    assert timm.get_pretrained_cfg("test_resnet").hf_hub_id == HUB
    weights = {key: value.contiguous() for key, value in timm.create_model("test_resnet").state_dict().items()}
    kept = no_hub / f"models--{HUB.replace('/', '--')}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40)
    (kept / "snapshots" / ("0" * 40)).mkdir(parents=True)
    save_file(weights, kept / "snapshots" / ("0" * 40) / "model.safetensors")
    network = build_network("test_resnet", num_classes=7, kwargs={"pretrained": True})
    assert torch.equal(network.layer1[0].conv1.weight, weights["layer1.0.conv1.weight"])
    assert constants.HF_HUB_OFFLINE is False


def test_a_hub_that_answers_is_asked(no_hub: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client, not this project, then says what is wrong."""
    monkeypatch.setattr(constants, "ENDPOINT", server)
    asked: list[bool] = []

    def fails(*_: object, **__: object) -> None:
        asked.append(constants.HF_HUB_OFFLINE)
        raise OSError("the hub is being mended")

    monkeypatch.setattr("timm.models._hub.hf_hub_download", fails)
    with pytest.raises(UserError, match=r"the weights of test_resnet cannot be fetched .*the hub is being mended"):
        build_network("test_resnet", num_classes=7, kwargs={"pretrained": True})
    assert asked == [False]


def test_a_network_that_nobody_has_trained(no_hub: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be built with .*pretrained=True: No pretrained weights") as told:
        build_network("resnet_tiny", num_classes=7, kwargs={"pretrained": True})
    assert "no network?" not in str(told.value)


# ---------------------------------------------------------------------------------------------------------- wandb


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As after an install: nobody has logged in."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    wandb.teardown()
    yield
    wandb.teardown()


def test_wandb_online_without_a_key(
    no_account: None, server: str, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server)
    told = train("scheme=baseline", "logger=wandb", "logger.mode=online").sentence
    assert "logger.mode=online: wandb cannot start: No API key configured" in told
    for advice in ("logger.mode=offline", "logger=csv", "wandb login"):
        assert advice in told


def test_wandb_online_without_a_network(no_account: None, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", NOWHERE)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    told = train("scheme=baseline", "logger=wandb", "logger.mode=online").sentence
    assert f"logger.mode=online: {NOWHERE} does not answer (no network?)." in told
    for advice in ("logger.mode=offline", "logger=csv"):
        assert advice in told


@pytest.mark.slow
@pytest.mark.parametrize("words", [("logger=wandb", "logger.mode=offline"), ("logger=csv",)], ids=str)
def test_what_both_advise(
    no_account: None, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", NOWHERE)
    shown = train("scheme=baseline", *words)
    assert shown.status == 0, shown.err
    assert len(list(tmp_path.glob("outputs/synthetic/*/baseline/*/summary.json"))) == 1
    assert bool(list(tmp_path.rglob("offline-run-*"))) == (len(words) == 2)


def test_wandb_modes(train: Train) -> None:
    told = train("scheme=baseline", "logger=wandb", "logger.mode=ofline").sentence
    assert told == "logger.mode=ofline: expected one of offline, online, disabled."


# ---------------------------------------------------------------------------------------------------------- Slurm


@pytest.fixture
def allocation(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """sbatch --ntasks=2."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    variables = {
        "SLURM_NTASKS": "2", "SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "fer", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0", "SLURM_NODELIST": "127.0.0.1", "MASTER_PORT": port,
    }  # fmt: skip
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.mark.slow
def test_slurm_s_tasks_for_one_process(
    allocation: dict[str, str], train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = train("scheme=baseline").sentence
    assert "--ntasks-per-node=2" in told
    assert "srun --ntasks=1 --ntasks-per-node=1, or unset SLURM_NTASKS" in told
    with monkeypatch.context() as unset:
        unset.delenv("SLURM_NTASKS")
        assert train("scheme=baseline").status == 0
    monkeypatch.setenv("SLURM_NTASKS", "1")  # as srun does
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "1")
    assert train("scheme=baseline", "seed=1").status == 0


@pytest.mark.slow
def test_slurm_s_tasks_for_two_processes(
    allocation: dict[str, str], train: Train, data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_srun = {
        "SLURM_NTASKS_PER_NODE": "2",  # as the first message says
        "SLURM_STEP_NUM_TASKS": "2",  # and by srun, as ever with several processes
    }
    for name, value in of_srun.items():
        monkeypatch.setenv(name, value)
    told = train("scheme=baseline").sentence
    assert "srun has started 2 processes. For one run that they train together: trainer.devices=2." in told
    words = [*small_overrides(data_directory, tmp_path / "outputs"), "scheme=baseline", "trainer.devices=2"]
    started = []
    for rank in "01":
        environment = {**allocation, **of_srun, "SLURM_PROCID": rank, "SLURM_LOCALID": rank}
        started.append(forked("train", *words, folder=tmp_path / rank, environment=environment))
    assert [one.status for one in started] == [0, 0], [one.err for one in started]
    assert len(list(tmp_path.glob("outputs/synthetic/*/baseline/*/summary.json"))) == 1


# --------------------------------------------------------------------------------------------- networks and gates


@pytest.mark.slow
def test_a_network_without_maps_is_gated_on_its_input(train: Train) -> None:
    network = ("model=timm", "model.backbone=test_vit", "model.small_input=true", "scheme=perturb")
    told = train(*network).sentence
    assert "no spatial gate can follow 'stage1' of test_vit" in told
    assert "(attention_model.attention.at=[input])" in told
    shown = train(*network, "attention_model.attention.at=[input]")
    assert shown.status == 0, shown.err


@pytest.mark.parametrize(
    ("name", "small_input", "works"),
    [
        ("vit_tiny_patch16_224", False, {"small_input": True}),
        ("crossvit_tiny_240", True, {"small_input": False}),
        ("xcit_nano_12_p8_224", True, {"small_input": False}),
        ("mvitv2_tiny", True, {"small_input": False}),
        ("levit_128s", True, {"small_input": False, "kwargs": {"img_size": 48}}),
        ("levit_128s", False, {"small_input": False, "kwargs": {"img_size": 48}}),
        ("pit_ti_224", True, {"small_input": False, "kwargs": {"img_size": 48}}),
        ("visformer_tiny", True, {"small_input": False, "kwargs": {"img_size": 48}}),
    ],
)
def test_networks_that_do_not_take_48_pixels(name: str, small_input: bool, works: dict[str, Any]) -> None:
    def check(small_input: bool, kwargs: dict[str, Any] | None = None) -> None:
        network = build_network(name, num_classes=7, small_input=small_input, kwargs=kwargs)
        check_network(network, (48, 48), small_input=small_input)

    with pytest.raises(UserError) as told:
        check(small_input)
    img_size = " with +model.kwargs.img_size=48" if "kwargs" in works else ""
    if small_input:
        assert f"Try model.small_input=false, alone or{img_size}" in str(told.value)
    else:
        assert "Try model.small_input=true, or without it +model.kwargs.img_size=48" in str(told.value)
    check(**works)


@pytest.mark.slow
def test_that_advice_is_followed_on_the_command_line(train: Train) -> None:
    words = ("model=timm", "model.backbone=levit_128s", "scheme=perturb", "attention_model.attention.at=[input]")
    told = train(*words).sentence
    assert "+model.kwargs.img_size=48" in told  # of both networks, though phase 1's is the first to be refused
    shown = train(*words, "model.small_input=false", "+model.kwargs.img_size=48")
    assert shown.status == 0, shown.err


def test_sizes_that_a_network_cannot_be_built_for() -> None:
    with pytest.raises(UserError, match=r"visformer_tiny cannot be built with .*patch_size=32"):
        build_network("visformer_tiny", num_classes=7, kwargs={"img_size": 48, "patch_size": 32, "embed_dim": 0})
