"""The speedrun of FER2013: accuracy against what training costs, from docs/speedrun.json.

    PYTHONPATH=tests python -m benchmarks.speedrun                       # draws figure and table anew
    PYTHONPATH=tests python -m benchmarks.speedrun RUN NAME [THREADS]    # first adds a finished run (its directory)

An entry is a setting that was tried: `points` are pairs of PFLOP and accuracy on PublicTest, in per cent, mean over the
flip, as training went (of a run of the chain the chosen epoch alone); `threads` is what each training had;
`private_test` is given for final settings only. A run that is added under a name again keeps its place and its text.
"""

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from omegaconf import OmegaConf

from fer_perturb.analysis.ensemble import members_of
from fer_perturb.files import write_text
from fer_perturb.report.figures import save_figure

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- speedrun:begin -->", "<!-- speedrun:end -->"


def main(arguments: list[str]) -> None:
    entries = json.loads((DOCS / "speedrun.json").read_text())
    if arguments:
        run, name, threads = Path(arguments[0]), arguments[1], int((arguments[2:] or ["2"])[0])
        earlier = {entry["name"]: entry for entry in entries}
        kept = {"what": earlier[name]["what"]} if name in earlier else {}
        entries = [*(earlier | {name: finished(run, name, threads) | kept}).values()]
        write_text(DOCS / "speedrun.json", "[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n")
    save_figure(curves(entries), DOCS / "speedrun.png")
    page = (DOCS / "recipes.md").read_text()
    before, rest = page.split(BEGIN, 1)
    write_text(DOCS / "recipes.md", "\n".join([before + BEGIN, *table(entries), END + rest.split(END, 1)[1]]))


def finished(run: Path, name: str, threads: int) -> dict[str, Any]:
    """An entry of a run of the chain, or of an ensemble with what its members cost, from the summaries."""
    summary = json.loads((run / "summary.json").read_text())
    recipe = OmegaConf.load(run / "config.yaml").recipe.name
    trained = [json.loads((member / "summary.json").read_text()) for member in members_of(run) or [run]]
    phases = [one["phases"]["predictor"] for one in trained]
    return {
        "name": name,
        "what": f"`model={summary['model']} recipe={recipe} seed={summary['seed']}`, the chain",
        "points": [[sum(phase["flops"] for phase in phases) / 1e15, 100 * summary["val"]["accuracy"]]],
        "minutes": sum(phase["seconds"] for phase in phases) / 60,
        "threads": threads,
        "private_test": 100 * summary["test"]["accuracy"],
    }


def table(entries: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| setting | what differs | PFLOP | minutes | PublicTest, % | PrivateTest, % |",
        "|---|---|---|---|---|---|",
    ]
    for entry in entries:
        pflop, public = entry["points"][-1]
        threads = "" if entry["threads"] == 2 else " (one core)"
        private = "" if entry["private_test"] is None else f"**{entry['private_test']:.1f}**"
        minutes = f"{entry['minutes']:.0f}{threads}" if entry["minutes"] else ""
        lines.append(f"| {entry['name']} | {entry['what']} | {pflop:.3f} | {minutes} | {public:.1f} | {private} |")
    return [*lines, "", "![Accuracy on PublicTest against PFLOP](speedrun.png)"]


def curves(entries: list[dict[str, Any]]) -> Figure:
    """PublicTest over PFLOP, a line for each setting with the last epochs of its training."""
    figure = Figure(figsize=(11, 0.2 * len(entries) + 0.4), layout="constrained")  # as high as the legend
    axis = figure.subplots()
    alone = []
    for number, entry in enumerate(entries):
        points = [point for point in entry["points"] if point[1] > 55]
        style = {"color": f"C{number % 10}", "linestyle": ("-", "--", ":", "-.")[number // 10 % 4]}
        final = entry["private_test"] is not None
        shape = {"marker": "*" if final else "o", "markersize": 12 if final else 3}
        axis.plot(*zip(*points, strict=True), label=f"{number + 1}  {entry['name']}", **shape, **style)
        if len(points) == 1:
            alone.append((points[0], number + 1))
    for rank, (point, number) in enumerate(sorted(alone)):  # on sides in turn, so that neighbours keep apart
        offset, ha = (((8, -4), "left"), ((-8, -4), "right"), ((0, -16), "center"))[rank % 3]
        axis.annotate(str(number), point, xytext=offset, textcoords="offset points", ha=ha)
    axis.margins(y=0.06)
    axis.set_xscale("log")
    ticks = (0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2)
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()
    axis.set_xlabel("PFLOP of training; a star: a final setting, run as a chain; the numbers stand on the right")
    axis.set_ylabel("accuracy on PublicTest, %, mean over the flip")
    figure.legend(fontsize=8, loc="outside right upper")
    axis.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    main(sys.argv[1:])
