"""The paper's ten networks: size, cost, speed and memory of training, and short runs on drawn faces.

    PYTHONPATH=tests python -m benchmarks.networks            # measures what docs/networks.json lacks
    PYTHONPATH=tests python -m benchmarks.networks vgg16 dpn  # measures these anew

The runs are found again in outputs/, their peak of memory is that of the process that trained them.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import rich
import torch

from benchmarks.bench import Bench, quiet
from benchmarks.fits import bare_step
from benchmarks.memory import MEGABYTE, peak
from benchmarks.report import machine, versions
from fer_perturb.experiment.flops import forward_flops
from fer_perturb.files import write_json, write_text

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- networks:begin -->", "<!-- networks:end -->"
ARCHITECTURES = ("vgg16", "resnet", "densenet", "dpn", "resmasking")
SIZES = {
    # training images of the short runs, epochs, and images a step, in which speed is measured as well
    "_small": ("dataset.drawing.train=4000", "recipe.epochs=6", "recipe.batch_size=64"),
    "": ("dataset.drawing.train=1000", "recipe.epochs=3", "recipe.batch_size=32"),
}
SHORT = ("dataset=synthetic", "recipe=demo", "dataset.drawing.val=500", "dataset.drawing.test=1000", "logger=csv")
SCHEMES = {"baseline": ("scheme=baseline",), "perturb": ("scheme=perturb", "scheme/views=sample")}
STEPS = 8  # after two to warm up


def main(asked: list[str]) -> None:
    file = DOCS / "networks.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {"rows": {}}
    for size, settings in SIZES.items():
        for name in (f"{architecture}{size}" for architecture in ARCHITECTURES):
            if name in asked or (not asked and name not in found["rows"]):
                rich.print(f"[bold]{name}[/bold] …", flush=True)
                found["rows"][name] = measured(name, settings, anew=name in asked)
                found |= {"machine": machine(torch.device("cpu")), "versions": versions()}
                write_json(file, found)
    page = (DOCS / "networks.md").read_text()
    before, rest = page.split(BEGIN, 1)
    write_text(DOCS / "networks.md", "\n".join([before + BEGIN, *table(found), END + rest.split(END, 1)[1]]))


def measured(model: str, settings: tuple[str, ...], anew: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(torch.device("cpu"), 0.05, Path(folder))
        chain = bench.chain(f"model={model}", "recipe=cpu", settings[-1])
        network = chain.predictor.task().network
        with quiet():
            step = bare_step(bench, chain)
            seconds = [bench.seconds(step) for _ in range(2 + STEPS)][2:]
        found: dict[str, Any] = {
            "parameters": sum(weights.numel() for weights in network.parameters()),
            "gflop": forward_flops(network, (48, 48)) / 1e9,
            "images_per_second": chain.experiment.recipe.batch_size / median(seconds),
        }
    for scheme, given in SCHEMES.items():
        found[scheme] = short_run(f"model={model}", *given, *settings, anew=anew)
    return found


def short_run(*given: str, anew: bool) -> dict[str, Any]:
    """A run in a process of its own: accuracy, seconds of all phases, and the process's peak in MB."""
    outputs = (Path("outputs") / "networks" / "-".join(word.split("=")[1] for word in given[:2])).resolve()
    noted = outputs / "peak.json"
    if anew:
        shutil.rmtree(outputs, ignore_errors=True)
    summaries = list(outputs.rglob("summary.json"))
    if not summaries or not noted.is_file():
        outputs.mkdir(parents=True, exist_ok=True)
        data = (f"paths.data={Path('outputs/networks/data').resolve()}", f"paths.outputs={outputs}")
        name = f"dataset.name=drawn{next(word.split('=')[1] for word in given if 'drawing.train' in word)}"
        bench = Bench(torch.device("cpu"), 1.0, outputs)
        top = peak(bench, "peak", "fer_perturb.train", *SHORT, name, *data, *given, "trainer.enable_progress_bar=false")
        write_json(noted, {"peak": top})
        summaries = list(outputs.rglob("summary.json"))
    (summary,) = (json.loads(file.read_text()) for file in summaries)
    return {
        "accuracy": summary["test"]["accuracy"],
        "accuracy_original": summary["test_original"]["accuracy"],
        "seconds": sum(phase["seconds"] for phase in summary["phases"].values() if phase),
        "peak_mb": json.loads(noted.read_text())["peak"] / MEGABYTE,
    }


def table(found: dict[str, Any]) -> list[str]:
    lines = [
        "| `model=` | parameters | GFLOP | images/s in training | peak memory, MB | baseline, % | Perturb, % "
        "| by the image alone, % | minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in found["rows"].items():
        runs = [row[scheme] for scheme in SCHEMES]
        lines.append(
            f"| `{name}` | {row['parameters']:,} | {row['gflop']:.2f} | {row['images_per_second']:.0f} | "
            f"{max(run['peak_mb'] for run in runs):,.0f} | {100 * runs[0]['accuracy']:.1f} | "
            f"{100 * runs[1]['accuracy']:.1f} | {100 * runs[1]['accuracy_original']:.1f} | "
            f"{runs[0]['seconds'] / 60:.1f} and {runs[1]['seconds'] / 60:.1f} |"
        )
    on = found["machine"]
    named = ", ".join(f"{key} {value}" for key, value in found["versions"].items())
    return [*lines, "", f"Measured on {on['device']}, {on['threads']} threads; {named}."]


if __name__ == "__main__":
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    main(sys.argv[1:])
