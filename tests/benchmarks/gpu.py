"""make gpu: what a GPU changes is tested, measured and trained, step after step; each result is written at once.

PYTHONPATH=tests python -m benchmarks.gpu: a step that has come to an end is not done again (--again: all are). On a
CPU it is rehearsed in the same code: --device cpu --scale 0.001.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from composing import DRAWING

from benchmarks.bench import Bench
from benchmarks.utilisation import fastest_product
from fer_perturb.analysis.metrics import scores
from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.errors import UserError, say
from fer_perturb.files import write_json, write_text
from fer_perturb.runs.found_runs import find_runs
from fer_perturb.runs.machine import device_name
from fer_perturb.runs.run_directory import commit, read_summary

ROWS = ("overhead", "utilisation", "clustering", "memory", "growth")
SHORT = 0.2  # of make bench: a minute or two on a large GPU
REHEARSED = ("dataset=synthetic", "recipe.epochs=2", "recipe.batch_size=8", "recipe.compile=null")
BEGIN, END = "<!-- gpu:begin -->", "<!-- gpu:end -->"


@dataclass(frozen=True)
class Place:
    """device: cuda or cpu. scale: 1, or less to rehearse. data: packed datasets. out: where results and runs go."""

    device: str
    scale: float
    data: Path
    out: Path

    def train(self, name: str, *words: str) -> dict[str, Any]:
        """A finished run by the command line, alone in a folder of that name: its summary, and `run`, where it lies."""
        outputs = self.out / "gpu_runs" / name
        short = [] if self.scale == 1 else [*REHEARSED, *DRAWING]
        trainer = f"trainer={'gpu' if self.device == 'cuda' else 'cpu'}"
        quiet = ("logger=csv", "trainer.enable_progress_bar=false")
        places = (f"paths.data={self.data}", f"paths.outputs={outputs}")
        call("-m", "fer_perturb.train", *words, trainer, *short, *quiet, *places)
        (run,) = find_runs(outputs).finished
        return {**read_summary(run, "run"), "run": run}

    def product(self) -> float:
        """TFLOP/s of the fastest matrix product, in bf16."""
        return fastest_product(Bench(torch.device(self.device), self.scale, self.out), torch.bfloat16)


Step = Callable[[Place], dict[str, Any]]


def tests(at: Place) -> dict[str, Any]:
    """The tests that need a GPU; in a rehearsal the same ones on the CPU."""
    chosen = ("-m", "gpu") if at.device == "cuda" else ("tests/test_on_a_gpu.py",)
    told = call("-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=0", *chosen, check=False)
    (last,) = re.findall(r"^.*(?:passed|failed|skipped|error).* in .*$", told.stdout, flags=re.M)[-1:] or [
        "no test ran"
    ]
    return {"passed": told.returncode == 0, "pytest": last.strip("= "), "printed": told.stdout[-4000:]}


def bench(at: Place) -> dict[str, Any]:
    """make bench in a short form; its rows stand in benchmarks.md."""
    scale = str(SHORT * at.scale)
    call("-m", "benchmarks.run", "--device", at.device, "--rows", *ROWS, "--scale", scale, "--out", str(at.out))
    return {"rows": list(ROWS), "scale": float(scale)}


def recipe(at: Place) -> dict[str, Any]:
    """recipe=gpu: accuracy, time, and the share of the device's fastest matrix product that training reached."""
    summary = at.train("recipe", "scheme=baseline", "model=seresnet_wide", "recipe=gpu", "seed=0")
    phase = summary["phases"]["predictor"]
    rate = phase["flops"] / phase["seconds"] / 1e12
    return {
        "public_test": summary["val"]["accuracy"],
        "private_test": {way: tested(summary["run"], way) for way in ("ten", "flip", "none")},
        "seconds": phase["seconds"],
        "images_per_second": phase["images_per_second"],
        "pflop": phase["flops"] / 1e15,
        "tflop_per_second": rate,
        "share_of_a_matrix_product": rate / at.product(),
    }


def tested(run: Path, tta: str) -> float | None:
    """PrivateTest's accuracy, by the image alone."""
    (path,) = [path for path in (run / "predictions").glob("*.parquet") if "+" not in path.stem]
    found = read_predictions(path, split="test", inference="original", tta=tta)
    return None if found is None else float(scores(found)["accuracy"])


def paper(at: Place) -> dict[str, Any]:
    """A piece of `experiment=table2 scale=paper`: VGG16 under Perturb, 60 steps of each phase; what an epoch takes."""
    some = ("recipe.epochs=1", "trainer.limit_train_batches=60", "trainer.limit_val_batches=20")
    summary = at.train("paper", "scheme=perturb", "model=vgg16", "recipe=paper", "seed=0", *some)
    phases = {name: summary["phases"][name] for name in ("attention", "predictor")}
    rates = {name: of["flops"] / of["seconds"] / 1e12 for name, of in phases.items()}
    return {"images_per_second": {k: of["images_per_second"] for k, of in phases.items()}, "tflop_per_second": rates}


STEPS: dict[str, Step] = {"tests": tests, "recipe": recipe, "paper": paper, "bench": bench}
NEEDS_FER2013 = ("recipe", "paper")


def call(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Python with these words, shown as it goes; UserError where it fails."""
    say(f"$ python {' '.join(words)}", "dim")
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as ran:
        assert ran.stdout is not None
        lines = []
        for line in ran.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if check and ran.returncode:
        raise UserError(
            f"python {' '.join(words)} ended with status {ran.returncode}: {lines[-1].strip() if lines else ''}"
        )
    return subprocess.CompletedProcess(words, ran.returncode, "".join(lines))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--data", type=Path, default=Path("data"), help="packed FER2013 (make data)")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="the folder of gpu.json and gpu.md")
    parser.add_argument("--scale", type=float, default=1.0, help="less than 1 does less, to rehearse")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS), help="all where none is named")
    parser.add_argument("--again", action="store_true", help="do also what has been done")
    given = parser.parse_args(arguments)
    if given.device == "cuda" and not torch.cuda.is_available():
        raise UserError("PyTorch finds no GPU here. To rehearse: --device cpu --scale 0.001.")
    at = Place(given.device, given.scale, given.data.resolve(), given.out.resolve())
    path = at.out / "gpu.json"
    machine = {"device": device_name(torch.device(at.device)), "torch": torch.__version__, "commit": commit()}
    kept = json.loads(path.read_text()) if path.is_file() else {}
    done = kept.get("steps", {}) if kept.get("machine") == machine and not given.again else {}
    for name in given.steps:
        if name in done and "failed" not in done[name]:
            say(f"{name}: done already")
            continue
        if name in NEEDS_FER2013 and at.scale == 1 and not (at.data / "fer2013" / "manifest.json").is_file():
            say(f"{name}: left out, as {at.data} holds no fer2013. Pack it: make data SOURCE=fer2013.zip", "yellow")
            continue
        started = time.perf_counter()
        try:
            found = STEPS[name](at)
        except UserError as error:
            found = {"failed": str(error)}
            say(f"{name}: {error}", "red")
        done[name] = {"took": round(time.perf_counter() - started, 1), **found}
        write_json(path, {"machine": machine, "steps": done})
        write_page(at.out / "gpu.md", machine, done)
        say(f"{name}: {done[name]['took']:.0f} s", "bold")


def write_page(path: Path, machine: dict[str, Any], steps: dict[str, dict[str, Any]]) -> None:
    """Puts the results between the marks of the page."""
    lines = [BEGIN, f"{machine['device']}, PyTorch {machine['torch']}, commit {machine['commit']}.", ""]
    lines += ["| step | seconds | result |", "|---|---|---|"]
    for name, step in steps.items():
        told = {key: value for key, value in step.items() if key not in ("took", "printed")}
        lines.append(f"| {name} | {step['took']:.0f} | {'; '.join(f'{key}: {said(told[key])}' for key in told)} |")
    text = path.read_text() if path.is_file() else f"# One GPU\n\n{BEGIN}\n{END}\n"
    before, after = text.split(BEGIN)[0], text.split(END)[-1]
    write_text(path, before + "\n".join([*lines, END]) + after)


def said(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {said(inner)}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value).replace("|", "/")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on where this one was.")
