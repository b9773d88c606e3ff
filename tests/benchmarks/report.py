"""The table in the terminal and docs/benchmarks.md, every figure in docs/benchmarks.json, growth as a picture."""

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Row
from fer_perturb.files import write_json, write_text
from fer_perturb.report.figures import CLUSTER_COLOURS, save_figure
from fer_perturb.runs.run_directory import commit

PACKAGES = (
    *("torch", "torchvision", "pytorch-lightning", "numpy", "faiss-gpu", "faiss-cpu", "numba", "wandb"),
    *("scikit-learn", "kmeans-pytorch", "torch-kmeans", "fast-pytorch-kmeans", "flash-kmeans"),
)
HEADINGS = ("row", "ours", "peer", "ours / peer", "to reach", "reached", "note")


class Report:
    """What was measured, in the folder `out`; a part of the rows replaces what it measured before on this machine."""

    def __init__(self, out: Path, device: torch.device, command: str) -> None:
        suffix = "" if device.type == "cpu" else f"_{device.type}"
        self.json = out / f"benchmarks{suffix}.json"
        self.figure = out / f"benchmarks_growth{suffix}.png"
        self.page = out / "benchmarks.md"
        self.mark = "bench" if device.type == "cpu" else f"bench:{device.type}"
        self.content: dict[str, Any] = {"machine": machine(device), "versions": versions(), "rows": {}}
        code = commit() or "unknown"  # asked before the figures that this writes make files differ from it
        self.measured = {"command": command, "commit": code[:7] + "+" * code.endswith("+")}
        self.lines: list[list[str]] = []
        self._keep_earlier()

    def _keep_earlier(self) -> None:
        """Other rows of the same machine and versions stay; figures of others are not mixed with these."""
        if not self.json.is_file():
            return
        earlier = json.loads(self.json.read_text())
        if all(earlier[key] == self.content[key] for key in ("machine", "versions")):
            self.content["rows"] = earlier["rows"]

    def add(self, family: str, rows: Sequence[Row]) -> None:
        """Takes in a family of rows, and writes all three files whole."""
        measured = {"date": f"{datetime.now(UTC):%Y-%m-%d}", **self.measured}
        self.content["rows"][family] = [{**row.as_dict(), **measured} for row in rows]
        self.lines += [line(row.as_dict()) for row in rows]
        write_json(self.json, self.content)
        self._write_page()
        if curves := [row for rows in self.content["rows"].values() for row in rows if row["curve"]]:
            save_figure(growth_figure(curves), self.figure)

    def print(self) -> None:
        """The rows of this run."""
        table = Table(title=self.describe())
        for number, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="left" if number in (0, 2, 6) else "right")
        for cells in self.lines:
            table.add_row(*cells)
        Console(width=None if Console().is_terminal else 200).print(table)

    def describe(self) -> str:
        found = self.content["machine"]
        used = ", ".join(f"{name} {number}" for name, number in self.content["versions"].items())
        return f"{found['device']}, {found['cores']} cores, {found['threads']} threads; {used}"

    def _write_page(self) -> None:
        rows = [row for rows in self.content["rows"].values() for row in rows]
        dates, commands, commits = (sorted({row[key] for row in rows}) for key in ("date", "command", "commit"))
        block = [
            f"{self.describe()}. Measured {' to '.join(sorted({dates[0], dates[-1]}))} by "
            f"{', '.join(f'`{command}`' for command in commands)}, code of commit {', '.join(commits)}; "
            f"all figures are in [`{self.json.name}`]({self.json.name}).",
            "",
            "| " + " | ".join(HEADINGS) + " |",
            "|---|---|---|---|---|---|---|",
            *("| " + " | ".join(line(row)) + " |" for row in rows),
        ]
        if any(row["curve"] for row in rows):
            block += ["", f"![Growth with the number of images and of clusters]({self.figure.name})"]
        begin, end = f"<!-- {self.mark}:begin -->", f"<!-- {self.mark}:end -->"
        page = self.page.read_text() if self.page.is_file() else "# Benchmarks\n"
        if begin not in page:
            page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
        before, rest = page.split(begin, 1)
        write_text(self.page, "\n".join([before + begin, *block, end + rest.split(end, 1)[1]]))


def line(row: dict[str, Any]) -> list[str]:
    """The cells of a row, as HEADINGS names them."""
    target, ratio, reached = row["target"], row["ratio"], row["reached"]
    unit = f" {row['unit']}" if row["unit"] != "exponent" else ""
    compared = ""
    if ratio is not None:
        spread = f" ({number(min(row['ratios']))} to {number(max(row['ratios']))})" if len(row["ratios"]) > 1 else ""
        compared = number(ratio) + spread
    aim = f"{target['side']} {number(target['bound'])}{'x' if target['of'] == 'ratio' else unit}" if target else ""
    theirs = f"{row['peer']}: {number(row['theirs_median'])}{unit}" if row["theirs"] else row["peer"]
    answer = "" if reached is None else "yes" if reached else "**no**"
    return [row["what"], f"{number(row['ours_median'])}{unit}", theirs, compared, aim, answer, row["note"]]


def number(value: float) -> str:
    """Three digits at least."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def growth_figure(rows: Sequence[dict[str, Any]]) -> Figure:
    """Seconds over size, both on log scales, as multiples of the smallest; dashed: linear growth."""
    axes_of = {"images": "training images, multiples of FER2013's", "clusters": "clusters"}
    figure = Figure(figsize=(9, 5), layout="constrained")
    for axis, (name, label) in zip(figure.subplots(1, 2), axes_of.items(), strict=True):
        curves = [(row["what"].split(": ", 1)[1], row["curve"]) for row in rows if row["curve"]["axis"] == name]
        for (what, curve), colour in zip(curves, CLUSTER_COLOURS, strict=False):
            relative = [seconds / curve["seconds"][0] for seconds in curve["seconds"]]
            label_of = f"{what} ({curve['seconds'][0]:.2g} s)"
            axis.loglog(curve["x"], relative, marker="o", markersize=4, color=colour, label=label_of)
        if curves:
            x = curves[0][1]["x"]
            axis.loglog(x, [size / x[0] for size in x], color="black", linestyle="--", linewidth=1, label="linear")
            axis.set_xticks(x, [f"{size:g}" for size in x], minor=False)
            axis.set_yticks((1, 2, 4, 8), ("1", "2", "4", "8"))
            axis.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.18), frameon=False)
        axis.minorticks_off()
        axis.set_xlabel(label)
        axis.set_ylabel("seconds, multiples of the smallest size's")
    return figure


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures depend on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {"device": name, "cores": os.cpu_count(), "threads": torch.get_num_threads(), "system": platform.system()}


def processor() -> str:
    """The processor's name."""
    listed = Path("/proc/cpuinfo")
    names = [text for text in listed.read_text().splitlines() if "model name" in text] if listed.exists() else []
    return names[0].split(":", 1)[1].strip() if names else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Of python and of the packages measured, where they are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
