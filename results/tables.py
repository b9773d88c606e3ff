"""python -m results.tables: every table of the study, from confirm.csv, logits/ and labels.npz alone."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray

from fer_perturb.errors import UserError
from results.paired import Difference, bootstrap, holm
from results.plan import ARMS, ATTENTION, NETWORKS, TEN, Run
from results.record import FERPLUS, HIDDEN, LABELS, METRICS, Arrays, read_arrays, read_rows

HERE = Path(__file__).resolve().parent
MARGIN = 1.0  # points of balanced accuracy: less than that is no gain worth having (docs/protocol.md)
ALPHA = 0.025  # one-sided, as the end of a 95 % interval
BALANCED = "balanced_accuracy"
OCCLUDED = ("maskfer", *HIDDEN)


@dataclass(frozen=True)
class Contrast:
    """One arm less another, each in a reading, in the mean over test sets; of each arm, less what it has on `minus`."""

    what: str
    first: str
    second: str
    readings: tuple[str, str] = ("original", "original")
    sets: tuple[str, ...] = ("whole",)
    minus: tuple[str, ...] = ()


WHOLE_VIEWS = ("views", "original")
# of each hypothesis the first is the primary one
HYPOTHESES = {
    "H1: Perturb beats the baseline": (
        Contrast("equal operations, over the views", "perturb", "baseline_2x", WHOLE_VIEWS),
        Contrast("equal operations, image alone", "perturb", "baseline_2x"),
        Contrast("equal epochs, over the views", "perturb", "baseline", WHOLE_VIEWS),
        Contrast("equal epochs, image alone", "perturb", "baseline"),
        Contrast("views=all, equal passes, over the views", "perturb_all", "baseline_2x", WHOLE_VIEWS),
        Contrast("views=all, equal passes, image alone", "perturb_all", "baseline_2x"),
        Contrast("against FER+'s labels, equal operations, over the views", "perturb", "baseline_2x", WHOLE_VIEWS,
                 (FERPLUS,)),
        Contrast("the baseline under Perturb's views too, equal operations", "perturb", "baseline_2x",
                 ("views", "perturb_views")),
    ),
    "H2: Perturb is more robust under occlusion": (
        Contrast("mean of five occlusions, equal operations, over the views", "perturb", "baseline_2x", WHOLE_VIEWS,
                 OCCLUDED),
        Contrast("the same, image alone", "perturb", "baseline_2x", sets=OCCLUDED),
        Contrast("the same, equal epochs, over the views", "perturb", "baseline", WHOLE_VIEWS, OCCLUDED),
        Contrast("what occlusion leaves of whole faces' points, over the views", "perturb", "baseline_2x", WHOLE_VIEWS,
                 OCCLUDED, ("whole",)),
        *(Contrast(name, "perturb", "baseline_2x", WHOLE_VIEWS, (name,)) for name in OCCLUDED),
    ),
    "H3: attention adds something to position": (
        Contrast("equal operations, image alone", "perturb", "position_only_2x"),
        Contrast("equal operations, over the views", "perturb", "position_only_2x", ("views", "views")),
        Contrast("equal epochs, image alone", "perturb", "position_only"),
        Contrast("equal epochs, over the views", "perturb", "position_only", ("views", "views")),
        Contrast("real maps less upside-down ones, image alone", "perturb", "moved_maps"),
        Contrast("all clusters less the least attended, image alone", "perturb", "least_attended"),
        Contrast("clusters less random rectangles, image alone", "perturb", "extra_erasing"),
        Contrast("a map per image less one map, image alone", "perturb_image", "perturb"),
        Contrast("a map per image less landmarks, image alone", "perturb_image", "landmarks"),
        Contrast("phase 1 alone less the baseline, equal epochs", ATTENTION, "baseline"),
        Contrast("hiding by position less the baseline, equal operations", "position_only_2x", "baseline_2x"),
    ),
}  # fmt: skip


class Results:
    """What lies in a folder: rows by arm, network and seed, of the confirmatory seeds alone, and answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = read_rows(folder / "confirm.csv")
        self.rows = {Run(row["arm"], row["network"], int(row["seed"])): row for row in found if int(row["seed"]) in TEN}
        self.answers: dict[Run, Arrays] = {}

    @cached_property
    def labels(self) -> Arrays:
        return read_arrays(self.folder / "labels.npz")

    def seeds(self, network: str, *arms: str) -> list[int]:
        """Those with which all of the arms were run."""
        return [seed for seed in TEN if all(Run(arm, network, seed) in self.rows for arm in arms)]

    def value(self, contrast: Contrast, run: Run, reading: str, metric: str) -> float | None:
        """What a contrast compares of a run, in per cent; None where the run has none of it."""
        value, less = (self.points(run, reading, sets, metric) for sets in (contrast.sets, contrast.minus))
        return value - (less or 0.0) if value is not None else None

    def points(self, run: Run, reading: str, sets: Sequence[str], metric: str) -> float | None:
        """The mean over test sets of a metric, in per cent; None where the run has none of it."""
        values = [self.rows[run].get(f"{name}.{reading}.{metric}") for name in sets]
        return 100 * mean(float(value) for value in values if value) if values and all(values) else None

    def pairs(self, contrast: Contrast, network: str, metric: str) -> list[float]:
        """The differences, in points, of each seed with which both arms were run, in one precision."""
        differences = []
        for seed in self.seeds(network, contrast.first, contrast.second):
            runs = [Run(arm, network, seed) for arm in (contrast.first, contrast.second)]
            if len({self.rows[run]["precision"] for run in runs}) > 1:
                raise UserError(
                    f"{runs[0].name} and {runs[1].name} differ in precision; expected one for all of a seed."
                )
            ways = zip(runs, contrast.readings, strict=True)
            both = [self.value(contrast, run, reading, metric) for run, reading in ways]
            if both[0] is not None and both[1] is not None:
                differences.append(both[0] - both[1])
        return differences

    def right(self, run: Run, reading: str, sets: Sequence[str]) -> NDArray[np.float64]:
        """(images,): whether a run's answers are right, in the mean over test sets."""
        if run not in self.answers:
            self.answers[run] = read_arrays(self.folder / "logits" / f"{run.name}.npz")
        stored, own = self.answers[run], self.labels
        of = {name: ("whole", own[FERPLUS]) if name == FERPLUS else (name, own[LABELS]) for name in sets}
        found = [stored[f"{tested}.{reading}"] == labels for tested, labels in of.values()]
        return np.asarray(np.mean(found, axis=0), dtype=np.float64)

    def interval(self, contrast: Contrast, network: str) -> tuple[float, float]:
        """The two-level bootstrap's, of the balanced accuracy."""
        differences = []
        for seed in self.seeds(network, contrast.first, contrast.second):
            first, second = (
                self.right(Run(arm, network, seed), reading, contrast.sets)
                - (self.right(Run(arm, network, seed), reading, contrast.minus) if contrast.minus else 0.0)
                for arm, reading in zip((contrast.first, contrast.second), contrast.readings, strict=True)
            )
            differences.append(first - second)
        labels = self.labels[FERPLUS if FERPLUS in contrast.sets else LABELS]
        there = labels >= 0
        return bootstrap(np.array(differences)[:, there], labels[there])


def verdicts(results: Results, network: str) -> dict[str, str]:
    """Of each hypothesis by its primary contrast: held, not held or undecided, as docs/protocol.md defines them."""
    found = {name: results.pairs(of[0], network, BALANCED) for name, of in HYPOTHESES.items()}
    differences = {name: Difference.of(pairs) if pairs else None for name, pairs in found.items()}
    gain = holm([_one(of.above(0)) if of else 1.0 for of in differences.values()])
    bound = holm([_one(of.below(MARGIN)) if of else 1.0 for of in differences.values()])
    told = {}
    for name, p_gain, p_bound in zip(differences, gain, bound, strict=True):
        if p_gain < ALPHA:
            verdict = "held" + (f", but a gain of {MARGIN:g} points is excluded" if p_bound < ALPHA else "")
        else:
            verdict = "not held" if p_bound < ALPHA else "undecided"
        told[name] = f"{verdict} (Holm: p {p_gain:.2g} for a gain, {p_bound:.2g} against one of {MARGIN:g} points)"
    return told


def _one(p: float) -> float:
    """1 for what one seed cannot say."""
    return 1.0 if np.isnan(p) else p


def hypothesis(results: Results, name: str, network: str) -> list[str]:
    """The table of a hypothesis's contrasts on a network."""
    lines = [
        "| contrast | | seeds | balanced accuracy, points | deviation | 95 %, seeds | 95 %, seeds and images "
        f"| within {MARGIN:g} point: p | accuracy, points |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for contrast in HYPOTHESES[name]:
        if not (pairs := results.pairs(contrast, network, BALANCED)):
            continue
        of, plain = Difference.of(pairs), Difference.of(results.pairs(contrast, network, "accuracy"))
        lines.append(
            f"| {contrast.what} | `{contrast.first}` less `{contrast.second}` | {of.n} | {of.mean:+.2f} "
            f"| {of.deviation:.2f} | {_ends(of.interval())} | {_ends(results.interval(contrast, network))} "
            f"| {of.equivalent(MARGIN):.2g} | {plain.mean:+.2f} {_ends(plain.interval())} |"
        )
    return lines


def scores(results: Results, network: str, metric: str) -> list[str]:
    """Mean and deviation over seeds of each arm: image alone, and over the views."""
    sets = ("whole", FERPLUS, *OCCLUDED)
    lines = [f"| arm | seeds | {' | '.join(sets)} |", "|---|---|" + "---|" * len(sets)]
    told = {"original": "", "views": ", over the views", "perturb_views": ", over Perturb's views"}
    for arm, reading in product((*ARMS, ATTENTION), told):
        seeds, cells = results.seeds(network, arm), []
        for name in sets:
            every = (results.points(Run(arm, network, seed), reading, (name,), metric) for seed in seeds)
            values = [value for value in every if value is not None]
            spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{mean(values):.1f}{spread}" if values else "")
        if any(cells):
            lines.append(f"| `{arm}`{told[reading]} | {len(seeds)} | {' | '.join(cells)} |")
    return lines


def costs(results: Results, network: str) -> list[str]:
    """What each arm's runs took, phase 1 included, and where they ran."""
    lines = ["| arm | seeds | epochs | PFLOP | minutes | PublicTest, % | precision | code |", "|" + "---|" * 8]
    for arm in (*ARMS, ATTENTION):
        if not (seeds := results.seeds(network, arm)):
            continue
        rows = [results.rows[Run(arm, network, seed)] for seed in seeds]
        flops = mean(float(row["attention_flops"]) + float(row["predictor_flops"]) for row in rows)
        seconds = mean(float(row["attention_seconds"]) + float(row["predictor_seconds"]) for row in rows)
        public = 100 * mean(float(row["public_accuracy"]) for row in rows)
        epochs, precision = (", ".join(sorted({row[key] for row in rows})) for key in ("epochs", "precision"))
        code = ", ".join(sorted({row["commit"][:7] + "+" * row["commit"].endswith("+") for row in rows}))
        spent = f"{flops / 1e15:.3f} | {seconds / 60:.0f}"
        lines.append(f"| `{arm}` | {len(seeds)} | {epochs} | {spent} | {public:.1f} | {precision} | {code} |")
    return lines


def machines(results: Results) -> str:
    """Where the runs ran; seeds whose runs did on several machines are named."""
    blocks: dict[str, set[str]] = {}
    for run, row in results.rows.items():
        blocks.setdefault(f"{run.network} seed {run.seed}", set()).add(row["device"])
    several = [name for name, found in blocks.items() if len(found) > 1]
    every = sorted(set[str]().union(*blocks.values()))
    return f"Ran on {'; '.join(every)}." + (f" On several: {', '.join(several)}." if several else "")


def _ends(interval: tuple[float, float]) -> str:
    return "" if np.isnan(interval[0]) else f"[{interval[0]:+.2f}, {interval[1]:+.2f}]"


def page(folder: Path) -> str:
    """All tables, as Markdown."""
    results = Results(folder)
    if not results.rows:
        raise UserError(f"{folder / 'confirm.csv'} has no run of the study yet: python -m results.study")
    parts = [f"{len(results.rows)} runs. {machines(results)}"]
    for network in NETWORKS:
        if not any(run.network == network for run in results.rows):
            continue
        parts.append(f"## {network}")
        told = verdicts(results, network)
        for name in HYPOTHESES:
            primary = "Verdict" if network == NETWORKS[0] else "On this network it would be"
            parts += [f"### {name}", f"{primary}: **{told[name]}**", "\n".join(hypothesis(results, name, network))]
        for metric in METRICS[:2]:
            title = metric.replace("_", " ").capitalize()
            parts += [f"### {title}, %, mean and deviation over seeds", "\n".join(scores(results, network, metric))]
        parts += ["### What it took", "\n".join(costs(results, network))]
    return "\n\n".join(parts)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m results.tables", description=__doc__)
    parser.add_argument("--of", type=Path, default=HERE, help="the folder of confirm.csv")
    print(page(parser.parse_args(arguments).of))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"Error: {error}")
