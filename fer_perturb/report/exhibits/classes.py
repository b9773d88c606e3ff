"""How many images each class has: the paper's Figure 3."""

import json
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from fer_perturb.analysis.collected import config_of
from fer_perturb.data.emotions import SPLITS
from fer_perturb.paper.values import reported
from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.judging import by, whole_faces
from fer_perturb.report.settings import Run
from fer_perturb.tables.table import Column, Table, number, words

Counts = dict[str, dict[str, int]]  # split -> class -> images


def figure3(runs: Sequence[Run]) -> Exhibit | None:
    """Images of each class in each split of each dataset: of prepared data where they lie, else of what was tested."""
    tables, drawn = list[Table](), dict[str, Counts]()
    for data, of in by(whole_faces(runs), "dataset").items():
        counts = _counts(of[0])
        tables.append(_table(data, counts))
        drawn[data] = counts
    if "fer2013" in drawn and len(drawn["fer2013"]) == len(SPLITS):
        tables.append(_beside_the_paper(drawn["fer2013"]))
    return Exhibit("Distribution of the classes", tables, _figure(drawn)) if tables else None


def _counts(run: Run) -> Counts:
    directory, summary = run
    try:
        paths = config_of(directory)["paths"]
        manifest = json.loads(Path(paths["data"], summary["dataset"], "manifest.json").read_text(encoding="utf-8"))
        return {split: dict(manifest["counts"][split]["classes"]) for split in SPLITS}
    except (OSError, ValueError, KeyError, TypeError):
        tested = summary["test"]["per_class"]
        return {"test": {name: int(of.get("support") or 0) for name, of in tested.items()}}


def _table(data: str, counts: Counts) -> Table:
    totals = {name: sum(of[name] for of in counts.values()) for name in next(iter(counts.values()))}
    every = max(1, sum(totals.values()))
    rows = [
        [words(name), *(number(of[name], ",d") for of in counts.values()), number(100 * total / every)]
        for name, total in totals.items()
    ]
    rows.append([words("all"), *(number(sum(of.values()), ",d") for of in counts.values()), number(100)])
    columns = [Column("class", align="left"), *(Column(split, "images") for split in counts), Column("share", "%")]
    note = (
        "" if len(counts) == len(SPLITS) else "The prepared data are not here: these are the images that were tested."
    )
    return Table.of(f"Images of each class: {data}", columns, rows, note)


def _beside_the_paper(counts: Counts) -> Table:
    """The paper's round numbers, and the exact ones."""
    paper, found = reported("figure3"), {split: sum(of.values()) for split, of in counts.items()}
    train = counts["train"]
    here = {**found, "all": sum(found.values()), "most": max(train.values()), "fewest": min(train.values())}
    told = {**paper.printed["split"], **paper.printed["classes"]}
    names = {"most": "the largest class in train", "fewest": "the smallest class in train"}
    rows = [
        [words(names.get(key, key)), number(value and int(value), ",d"), number(here[key], ",d")]
        for key, value in told.items()
    ]
    columns = [Column("", align="left"), Column("the paper", "images"), Column("here", "images")]
    return Table.of(f"{paper.source}, and section 4.1: FER2013's images", columns, rows)


def _figure(drawn: dict[str, Counts]) -> Figure:
    figure = Figure(figsize=(7, 0.7 + 2.3 * len(drawn)), layout="constrained")
    axes = figure.subplots(len(drawn), 1, squeeze=False)[:, 0]
    for axis, (data, counts) in zip(axes, drawn.items(), strict=True):
        names, left = list(next(iter(counts.values()))), [0] * len(next(iter(counts.values())))
        for number_, (split, of) in enumerate(counts.items()):
            axis.barh(names, list(of.values()), left=left, color=f"C{number_}", label=split)
            left = [so_far + more for so_far, more in zip(left, of.values(), strict=True)]
        for place, total in enumerate(left):
            axis.text(total, place, f" {total:,}", va="center", fontsize=8)
        axis.invert_yaxis()
        axis.set_title(data, fontsize=10, loc="left")
        axis.tick_params(labelsize=9)
        axis.margins(x=0.1)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(fontsize=8)
    axes[-1].set_xlabel("images", fontsize=9)
    return figure
