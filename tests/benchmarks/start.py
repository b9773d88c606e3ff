"""Start: how long a person waits for --help, and for the first training step of the demo."""

import subprocess
import sys
import tempfile
import time

from composing import composed

from benchmarks.bench import Bench, quiet
from benchmarks.measure import Row, Target, take_turns
from fer_perturb.experiment.dataset import open_dataset

FACES = {"train": 2500, "val": 500, "test": 1000}  # the demo's
STEPPED = 77  # the exit status of a process that has made a training step
DEMO = f"""
import os, runpy, sys
from torch.optim.optimizer import register_optimizer_step_post_hook
register_optimizer_step_post_hook(lambda *_: os._exit({STEPPED}))
runpy.run_module("fer_perturb.train", run_name="__main__", alter_sys=True)
"""


def rows(bench: Bench) -> list[Row]:
    """Processes of their own, from their start to their end."""
    turns = take_turns(
        {
            "ours": lambda: seconds(bench, "-m", "fer_perturb.train", "--help"),
            "import torch": lambda: seconds(bench, "-c", "import torch"),
        },
        bench.rounds,
    )
    name = "start: python -m fer_perturb.train --help"
    target = Target("ratio", "at most", 2)
    help_row = Row(name, "s", turns.figures["ours"], "import torch", turns.figures["import torch"], target)

    drawing = [f"dataset.drawing.{split}={bench.count(full)}" for split, full in FACES.items()]
    demo = ["experiment=demo", *drawing, f"paths.data={bench.directory / 'data'}"]
    with quiet():
        open_dataset(composed(*demo))

    def first_step() -> float:
        with tempfile.TemporaryDirectory(dir=bench.directory, ignore_cleanup_errors=True) as outputs:
            return seconds(bench, "-c", DEMO, *demo, f"paths.outputs={outputs}", expected=STEPPED)

    steps = take_turns({"ours": first_step}, bench.rounds, warm_up=False)
    note = "the drawn faces already made"
    what = "start: first training step of the demo"
    return [help_row, Row(what, "s", steps.figures["ours"], target=Target("ours", "at most", 15), note=note)]


def seconds(bench: Bench, *arguments: str, expected: int = 0) -> float:
    """From the start of python with these arguments to its end."""
    with (bench.directory / "start.log").open("w+") as log:
        started = time.perf_counter()
        status = subprocess.run([sys.executable, *arguments], cwd=bench.directory, stdout=log, stderr=log).returncode
        taken = time.perf_counter() - started
        if status != expected:
            log.seek(0)
            raise RuntimeError(f"python {' '.join(arguments)} ended with {status}:\n{log.read()[-3000:]}")
    return taken
