"""How fast a network trains here: as finished runs tell, or else a step of it."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

from fer_perturb.errors import UserError
from fer_perturb.experiment.experiment import Experiment
from fer_perturb.experiment.flops import training_flops
from fer_perturb.experiment.precision import device_type
from fer_perturb.runs.machine import device_name
from fer_perturb.runs.summary_file import SUMMARY, sealed_summary

IMAGES = 32  # of a measured step, at most
STEPS = 3
ENOUGH = 1.0  # seconds; a step that takes longer tells enough


class Speeds:
    """Operations a second of each kind of run: data, network and precision, on this machine.

    threads: of one job. `measured` says whether a step has told of any.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.measured = False
        self._known: dict[tuple[Path, str], float] = {}

    def of(self, experiment: Experiment) -> float:
        folder = experiment.directory.parents[1]  # <outputs>/<dataset>/<model>
        kind = (folder, experiment.recipe.precision)
        if kind not in self._known:
            phases = dict(_finished(folder, experiment.recipe.precision, _device_of(experiment)))
            seconds = sum(of for _, of in phases.values())
            if seconds > 0:
                self._known[kind] = sum(flops for flops, _ in phases.values()) / seconds
            else:
                self.measured = True
                self._known[kind] = _of_a_step(experiment, self.threads)
        return self._known[kind]


def _finished(folder: Path, precision: str, device: str) -> Iterator[tuple[str, tuple[int, float]]]:
    """Key, operations and seconds of each phase that runs below <outputs>/<dataset>/<model> have trained here."""
    for file in folder.glob(f"*/seed*/{SUMMARY}"):
        with suppress(UserError, KeyError, TypeError):  # damaged, or by older code
            summary = sealed_summary(file.parent, "run")
            for name in ("attention", "predictor"):
                phase = summary["phases"][name]
                if phase and (summary["precision"], phase["device"]) == (precision, device):
                    yield phase["key"], (int(phase["flops"]), float(phase["seconds"]))


def _device_of(experiment: Experiment) -> str:
    """The name under which its phases will be recorded."""
    devices = experiment.trainer["devices"]
    device = torch.device(device_type(str(experiment.trainer["accelerator"])))
    return device_name(device, devices if isinstance(devices, int) and devices > 0 else 1)


def _of_a_step(experiment: Experiment, threads: int) -> float:
    device = torch.device(device_type(str(experiment.trainer["accelerator"])))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _speed_on(device, experiment)
    finally:
        torch.set_num_threads(before)
        if device.type == "cuda":
            torch.cuda.empty_cache()  # the jobs need it


def _speed_on(device: torch.device, experiment: Experiment) -> float:
    """Operations a second, forward and back on a few black images, without what else a step of training does."""
    recipe, size = experiment.recipe, experiment.recipe.input_size(experiment.data.image_size)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    network = experiment.build(experiment.network).train()
    flops = training_flops(network, size)
    network = network.to(device).to(memory_format=layout)
    count = min(IMAGES, recipe.batch_size * recipe.crops)
    images = torch.zeros(count, 1, *size, device=device).to(memory_format=layout)
    half = torch.float16 if recipe.precision.startswith("16") else torch.bfloat16
    seconds = 0.0
    for _ in range(STEPS):  # the first one is slower than the others
        started = time.perf_counter()
        with torch.autocast(device.type, dtype=half, enabled=not recipe.precision.startswith("32")):
            loss = network(images).sum()
        loss.backward()
        loss.item()  # waits for the device
        seconds = time.perf_counter() - started
        if seconds > ENOUGH:
            break
    return count * flops / seconds
