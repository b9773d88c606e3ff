"""The study's tables as Markdown, from what lies in a folder of results alone."""

from itertools import product
from statistics import mean, stdev

import numpy as np

from fer_perturb.analysis.statistics import OverSeeds, holm
from results.contrasts import ALPHA, BALANCED, HYPOTHESES, MARGIN, OCCLUDED, Results
from results.plan import ARMS, ATTENTION, Run
from results.record import FERPLUS


def verdicts(results: Results, network: str) -> dict[str, str]:
    """Of each hypothesis by its primary contrast: held, not held or undecided, as docs/protocol.md defines them."""
    found = {name: results.pairs(of[0], network, BALANCED) for name, of in HYPOTHESES.items()}
    differences = {name: OverSeeds.of(pairs) if pairs else None for name, pairs in found.items()}
    gain = holm([of.above(0) if of else 1.0 for of in differences.values()])
    bound = holm([of.below(MARGIN) if of else 1.0 for of in differences.values()])
    told = {}
    for name, p_gain, p_bound in zip(differences, gain, bound, strict=True):
        if p_gain < ALPHA:
            verdict = "held" + (f", but a gain of {MARGIN:g} points is excluded" if p_bound < ALPHA else "")
        else:
            verdict = "not held" if p_bound < ALPHA else "undecided"
        told[name] = f"{verdict} (Holm: p {p_gain:.2g} for a gain, {p_bound:.2g} against one of {MARGIN:g} points)"
    return told


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
        of, plain = OverSeeds.of(pairs), OverSeeds.of(results.pairs(contrast, network, "accuracy"))
        lines.append(
            f"| {contrast.what} | `{contrast.first}` less `{contrast.second}` | {of.n} | {of.mean:+.2f} "
            f"| {of.deviation:.2f} | {ends(of.interval())} | {ends(results.interval(contrast, network))} "
            f"| {of.equivalent(MARGIN):.2g} | {plain.mean:+.2f} {ends(plain.interval())} |"
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


def ends(interval: tuple[float, float]) -> str:
    """[low, high]; nothing where one seed has no interval."""
    return "" if np.isnan(interval[0]) else f"[{interval[0]:+.2f}, {interval[1]:+.2f}]"
