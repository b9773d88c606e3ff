"""The planted cue: what Perturb and every control reach on drawn faces whose spurious cue is absent in testing.

python -m fer_perturb.train experiment=planted            # the runs
PYTHONPATH=tests python -m benchmarks.controls            # figure and table in docs/controls.md
"""

import json
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from composing import composed
from matplotlib.figure import Figure
from numpy.typing import NDArray
from omegaconf import OmegaConf
from safetensors.torch import load_file

from fer_perturb.analysis.statistics import OverSeeds
from fer_perturb.data.drawn_faces.planted_cue import BARS, LEFT, THICKNESS, TOP, WIDTH
from fer_perturb.data.packed import PackedData
from fer_perturb.experiment.dataset import open_dataset
from fer_perturb.files import write_text
from fer_perturb.perturb.clusters import cluster_maps_per_image
from fer_perturb.perturb.landmark_regions import EYES_AND_MOUTH, landmark_regions
from fer_perturb.report.figures import save_figure
from fer_perturb.schemes.regions.displaced import Displaced
from fer_perturb.schemes.regions.nothing import Nothing
from fer_perturb.schemes.regions.one_region import OneRegion
from fer_perturb.schemes.regions.rectangles import Rectangles
from fer_perturb.schemes.scheme import scheme_from
from fer_perturb.schemes.views import all_views

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- controls:begin -->", "<!-- controls:end -->"
HIDDEN = 0.75  # a view hides the cue where it hides so much of it
DRAWN = 10_000  # random rectangles, to see how often one does


def main(outputs: Path) -> None:
    data, runs = planted(), dict[str, dict[int, dict[str, Any]]]()
    for file in sorted(outputs.glob("*/seed*/summary.json"), key=lambda file: (dirty(file), file)):
        summary, config = json.loads(file.read_text()), OmegaConf.load(file.parent / "config.yaml")
        if config.get("table") is None and "AllViews" in str(config.scheme.views) and config.recipe.name == "demo":
            summary["hidden"] = hiding(file.parent, data)
            summary["cue"] = cue_in_attention(file.parent)
            before = runs.setdefault(summary["scheme"], {}).setdefault(summary["seed"], summary)
            if before["phases"]["predictor"]["key"] != summary["phases"]["predictor"]["key"]:
                sys.exit(f"{file.parent} is another run of the same scheme and seed: remove one of them.")
    order = sorted(runs, key=lambda scheme: -average(runs[scheme]))
    save_figure(figure(runs, order), DOCS / "controls.png")
    page = (DOCS / "controls.md").read_text()
    before, rest = page.split(BEGIN, 1)
    write_text(DOCS / "controls.md", "\n".join([before + BEGIN, *table(runs, order), END + rest.split(END, 1)[1]]))


def commit_of(summary: dict[str, Any]) -> str:
    """Of the code that trained a run's predictor; with a + where files differed from it."""
    commit = summary["phases"]["predictor"]["commit"]
    return f"{commit[:7]}{'+' * commit.endswith('+')}"


def dirty(file: Path) -> bool:
    return commit_of(json.loads(file.read_text())).endswith("+")


def planted() -> PackedData:
    """The drawn faces of the experiment; drawn anew where others lie in their place."""
    return open_dataset(composed("experiment=planted"))


def hiding(run: Path, data: PackedData) -> dict[str, float]:
    """How the cue is hidden in training, by the map of the tested epoch, in images as they are and mirrored.

    views: the share of the views, the whole image among them, in which HIDDEN of the cue or more is hidden. area: the
    share of the image that is hidden in those; eyes: of the eyes' and brows' landmarks, in the mean face.
    """
    settings: Any = OmegaConf.to_container(OmegaConf.load(run / "config.yaml"))
    regions = scheme_from(settings["scheme"]).regions
    if regions is None or isinstance(regions, Nothing):
        return {"views": 0.0}
    n, clusters = regions.n, getattr(regions, "of", regions)
    if regions.needs_landmarks:
        maps = landmark_regions(torch.tensor(data.extra("train", "landmarks")), data.image_size)
    else:
        state = load_file(run / "predictor" / "weights.safetensors")
        if regions.of_each_image:
            attention = torch.from_numpy(np.load(run / "clustering" / "attention_per_image.npy").astype(np.float32))
            maps = cluster_maps_per_image(attention, clusters, state["region_state.centres"])
        else:
            maps = state["region_state.cluster_map"][None]
            maps = maps.flip(1) if isinstance(regions, Displaced) else maps
            maps = torch.cat([maps, maps.flip(2)])  # half of the images are mirrored, and this map is not
    if isinstance(regions, Rectangles):
        torch.manual_seed(0)
        maps = maps[:1].expand(DRAWN, -1, -1)
    hidden_by = regions.hidden_in_training(maps, all_views(len(maps), n, maps.device))[:n]  # (n, images, H, W)
    views = n if isinstance(regions, OneRegion) else 1  # that one region is hidden in all of them
    hidden_by = hidden_by[:1] if isinstance(regions, OneRegion) else hidden_by
    cue = hidden_by[..., TOP : TOP + BARS * THICKNESS, LEFT : LEFT + WIDTH]
    hidden = cue.float().mean(dim=(2, 3)) >= HIDDEN
    areas = hidden_by.float().mean(dim=(2, 3))
    rows, columns = mean_feature(data, "eyes").round().astype(int).T
    eyes = hidden_by[..., rows, columns].float().mean(dim=2)
    found = {"views": float(views * hidden.float().sum(dim=0).mean() / (n + 1))}
    if hidden.any():
        found |= {"area": float(areas[hidden].mean()), "eyes": float(eyes[hidden].mean())}
    return found


def mean_feature(data: PackedData, name: str) -> NDArray[np.float64]:
    """(points, 2), row and column of a feature's landmarks in the mean face."""
    points = EYES_AND_MOUTH[2] if name == "mouth" else EYES_AND_MOUTH[0] + EYES_AND_MOUTH[1]
    x, y = data.extra("train", "landmarks").mean(axis=0, dtype=float)[list(points)].T
    return np.stack([y, x], axis=1)


def cue_in_attention(run: Path) -> dict[str, float] | None:
    """Of the attention that phase 2 clustered: in what share of the pixels it is lower than on the cue (both places),
    and the mean of the cluster that holds the cue, in deviations from the map's mean; None without such a map."""
    if not (run / "clustering" / "attention.npy").is_file():
        return None
    attention = np.load(run / "clustering" / "attention.npy")
    labels = load_file(run / "clustering" / "clusters.safetensors")["cluster_map"].numpy()
    ranks, means = [], []
    for mirrored in (False, True):
        seen, of = (np.flip(plane, 1) if mirrored else plane for plane in (attention, labels))
        cue = np.s_[TOP : TOP + BARS * THICKNESS, LEFT : LEFT + WIDTH]
        ranks.append(float((seen < seen[cue].mean()).mean()))
        holder = np.bincount(of[cue][of[cue] >= 0].ravel()).argmax()
        means.append(float((seen[of == holder].mean() - seen.mean()) / seen.std()))
    return {"rank": mean(ranks), "holder": mean(means)}


def average(runs: dict[int, dict[str, Any]], key: str = "test") -> float:
    return 100 * mean(run[key]["accuracy"] for run in runs.values())


def interval(differences: list[float]) -> tuple[float, float, float]:
    """Mean and 95 % interval (Student's t) of the paired differences."""
    of = OverSeeds.of(differences)
    return of.mean, *of.interval()


def against(runs: dict[str, dict[int, dict[str, Any]]], scheme: str, other: str) -> list[float]:
    return [
        100 * (run["test"]["accuracy"] - runs[other][seed]["test"]["accuracy"]) for seed, run in runs[scheme].items()
    ]


def table(runs: dict[str, dict[int, dict[str, Any]]], order: list[str]) -> list[str]:
    lines = [
        "| scheme | accuracy, % | each seed | less `baseline` [95 %] | image alone, % | views without the cue, % "
        "| hidden with it, % | of the eyes, % | new each epoch, % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for scheme in order:
        of = runs[scheme]
        each = ", ".join(f"{100 * of[seed]['test']['accuracy']:.1f}" for seed in sorted(of))
        middle, low, high = interval(against(runs, scheme, "baseline")) if scheme != "baseline" else (0, 0, 0)
        less = "" if scheme == "baseline" else f"{middle:+.1f} [{low:+.1f}, {high:+.1f}]"
        hidden = [run["hidden"] for run in of.values()]
        shown = f"{100 * mean(way['views'] for way in hidden):.0f}"
        area, eyes = (
            f"{100 * mean(values):.0f}" if values else ""
            for values in ([way[of] for way in hidden if of in way] for of in ("area", "eyes"))
        )
        clusterings = [run["phases"]["clustering"] or {} for run in of.values()]
        moved = [found["changed"] for found in clusterings if found.get("changed") is not None]
        new = f"{100 * mean(moved):.0f}" if moved and shown != "0" else ""
        alone = average(of, "test_original")
        lines.append(
            f"| `{scheme}` | **{average(of):.1f}** | {each} | {less} | {alone:.1f} "
            f"| {shown} | {area} | {eyes} | {new} |"
        )
    seen = [run["cue"] for run in runs["perturb"].values()]
    ranks = ", ".join(f"{100 * cue['rank']:.0f}" for cue in seen)
    holders = ", ".join(f"{cue['holder']:+.2f}" for cue in seen)
    lines += [
        "",
        f"On the cue the attention of phase 1 is higher than on {ranks} % of the pixels (seeds 0 to 4); the clusters "
        f"that hold the cue have a mean attention of {holders} deviations from the map's mean.",
    ]
    commits = {commit_of(run) for of in runs.values() for run in of.values()}
    seconds = sum(run["train_seconds"] for of in runs.values() for run in of.values())
    return [
        *lines,
        "",
        f"{len(next(iter(runs.values())))} seeds, {seconds / 60:.0f} minutes of training the predictors; code as of "
        f"commit {', '.join(sorted(commits))} (+: and changes that were committed later).",
        "",
        "![Accuracy of each scheme, a point a seed](controls.png)",
    ]


def figure(runs: dict[str, dict[int, dict[str, Any]]], order: list[str]) -> Figure:
    """A row a scheme, a point a seed; and the accuracy against how often the cue was hidden."""
    drawn = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = drawn.subplots(1, 2, sharex=True)
    for row, scheme in enumerate(order):
        accuracies = [100 * run["test"]["accuracy"] for run in runs[scheme].values()]
        hidden = [run["hidden"] for run in runs[scheme].values()]
        colour, marker = f"C{row % 10}", "os"[row // 10]
        left.plot(accuracies, [row] * len(accuracies), marker, color=colour, alpha=0.6)
        left.plot([mean(accuracies)] * 2, [row - 0.35, row + 0.35], color=colour, linewidth=2)
        right.plot(accuracies, [100 * way["views"] for way in hidden], marker, color=colour, label=scheme, alpha=0.8)
    left.set_yticks(range(len(order)), order)
    left.invert_yaxis()
    left.set_xlabel("accuracy on test, where no image has the cue, %")
    right.set_xlabel("accuracy on test, %")
    right.set_ylabel("training views in which the cue is hidden, %")
    right.legend(fontsize=8)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    return drawn


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/planted/resnet_tiny"))
