"""What is hidden along with the planted cue: fixed maps in Perturb's place, which differ in that alone.

PYTHONPATH=tests python -m benchmarks.fixed_maps      # the runs, figure and table in docs/controls.md

Every map hides the whole cue, in either of its places, in one of four views. Its baseline is experiment=planted's.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import mean
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from composing import composed
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.controls import DOCS, average, commit_of, interval, mean_feature, planted
from fer_perturb.data.drawn_faces.planted_cue import BARS, LEFT, THICKNESS, TOP, WIDTH
from fer_perturb.data.loading.batches import Batch
from fer_perturb.data.packed import PackedData
from fer_perturb.files import write_npy, write_text
from fer_perturb.report.figures import save_figure
from fer_perturb.schemes.regions.regions import Regions
from fer_perturb.train import train

BEGIN, END = "<!-- fixed maps:begin -->", "<!-- fixed maps:end -->"
SEEDS = range(5)
OUTPUTS = Path("outputs/planted_fixed_maps")
THIRD = 1 / 3
# name: what is hidden first along with the cue, and how much of the image is hidden in all
MAPS = {
    "around the cue, 15 %": ("cue", 0.15),
    "around the cue, 33 %": ("cue", THIRD),
    "around the cue, 50 %": ("cue", 0.5),
    "around the cue, 67 %": ("cue", 0.67),
    "the frame's edge, 33 %": ("edge", THIRD),
    "both eyes, 33 %": ("eyes", THIRD),
    "the mouth, 33 %": ("mouth", THIRD),
}


def main() -> None:
    data = planted()
    maps = {name: fixed_map(data, *given) for name, given in MAPS.items()}
    found = {name: [under(labels, seed) for seed in SEEDS] for name, labels in maps.items()}
    plain = [summary_of("experiment=planted", "scheme=baseline", f"seed={seed}") for seed in SEEDS]
    save_figure(figure(data, maps, found, plain), DOCS / "fixed_maps.png")
    page = (DOCS / "controls.md").read_text()
    before, rest = page.split(BEGIN, 1)
    lines = table(found, plain)
    write_text(DOCS / "controls.md", "\n".join([before + BEGIN, *lines, END + rest.split(END, 1)[1]]))


def fixed_map(data: PackedData, what: str, share: float) -> NDArray[np.int8]:
    """(H, W) in 0..2: region 0 is the cue in both places and the pixels nearest to `what`, `share` of all in sum.

    The left and the right half of the other pixels are regions 1 and 2.
    """
    height, width = data.image_size
    cue = np.zeros((height, width), dtype=bool)
    cue[TOP : TOP + BARS * THICKNESS, LEFT : LEFT + WIDTH] = True
    cue |= cue[:, ::-1]
    rows, columns = np.mgrid[:height, :width]
    if what == "edge":
        away = np.minimum.reduce([rows, height - 1 - rows, columns, width - 1 - columns]).astype(float)
    else:
        points = np.argwhere(cue) if what == "cue" else mean_feature(data, what)
        away = np.hypot(rows[..., None] - points[:, 0], columns[..., None] - points[:, 1]).min(axis=2)
    away[cue] = -1
    labels = np.where(columns < width // 2, 1, 2).astype(np.int8)
    nearest = np.argsort(away.ravel(), kind="stable")[: round(share * height * width)]
    labels.ravel()[nearest] = 0
    return labels


@dataclass(frozen=True)
class FixedMap(Regions):
    """The regions of one map for all images, int8 (H, W) in `file`, in the frame of the network's input."""

    file: str
    frame: ClassVar[Literal["image", "input"]] = "input"

    @property
    def n(self) -> int:
        return 3

    def maps(self, batch: Batch, state: nn.Module) -> Tensor:
        return torch.from_numpy(np.load(self.file)).to(batch["image"].device).expand(len(batch["image"]), -1, -1)


def under(labels: NDArray[np.int8], seed: int) -> dict[str, Any]:
    """The run whose regions are `labels` in every epoch; there is no phase 1."""
    file = OUTPUTS.resolve() / f"{sha256(labels.tobytes()).hexdigest()[:8]}.npy"
    write_npy(file, labels)
    regions = (f"scheme.regions._target_={__name__}.FixedMap", f"+scheme.regions.file={file}")
    return summary_of(
        "experiment=planted", "scheme=landmarks", "scheme.name=fixed_map", *regions, f"seed={seed}",
        f"paths.outputs={OUTPUTS}",
    )  # fmt: skip


def summary_of(*overrides: str) -> dict[str, Any]:
    finished = train(composed(*overrides, "logger=csv"))
    assert finished is not None  # there is one process
    return finished[1]


def table(found: dict[str, list[dict[str, Any]]], plain: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| hidden with the cue | accuracy, % | each seed | less `baseline` [95 %] | image alone, % |",
        "|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        each = ", ".join(f"{100 * run['test']['accuracy']:.1f}" for run in runs)
        paired = zip(runs, plain, strict=True)
        less, low, high = interval(
            [100 * (run["test"]["accuracy"] - other["test"]["accuracy"]) for run, other in paired]
        )
        of = dict(enumerate(runs))
        lines.append(
            f"| {name} | **{average(of):.1f}** | {each} | {less:+.1f} [{low:+.1f}, {high:+.1f}] "
            f"| {average(of, 'test_original'):.1f} |"
        )
    minutes = sum(run["train_seconds"] for runs in found.values() for run in runs) / 60
    commits = sorted({commit_of(run) for runs in found.values() for run in runs})
    return [
        *lines,
        "",
        f"{len(SEEDS)} seeds, {minutes:.0f} minutes of training; code as of commit {', '.join(commits)}.",
        "",
        "![The maps on the mean drawn face, and the accuracy under each](fixed_maps.png)",
    ]


def figure(
    data: PackedData,
    maps: dict[str, NDArray[np.int8]],
    found: dict[str, list[dict[str, Any]]],
    plain: list[dict[str, Any]],
) -> Figure:
    """What is hidden with the cue, on the mean face; below it each seed's accuracy."""
    face = data.splits["train"].images.mean(axis=0)
    drawn = Figure(figsize=(12, 4.2), layout="constrained")
    grid = drawn.add_gridspec(2, len(maps), height_ratios=(2, 3))
    for place, labels in enumerate(maps.values()):
        axis = drawn.add_subplot(grid[0, place])
        axis.imshow(np.where(labels == 0, 0, face), cmap="gray", vmin=0, vmax=255)
        axis.axis("off")
    axis = drawn.add_subplot(grid[1, :])
    for place, runs in enumerate(found.values()):
        accuracies = [100 * run["test"]["accuracy"] for run in runs]
        axis.plot([place] * len(runs), accuracies, "o", color=f"C{place}", alpha=0.6)
        axis.plot([place - 0.3, place + 0.3], [mean(accuracies)] * 2, color=f"C{place}", linewidth=2)
    axis.axhline(average(dict(enumerate(plain))), color="0.4", linestyle="--", label="baseline")
    axis.set_xticks(range(len(maps)), [name.replace(", ", "\n") for name in maps], fontsize=9)
    axis.set_xlim(-0.5, len(maps) - 0.5)
    axis.set_ylabel("accuracy on test, %")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9)
    return drawn


if __name__ == "__main__":
    main()
