"""Does it help? A paragraph made from the tests, with what would change the answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from fer_perturb.analysis.comparison.contrast import BUDGETS, WORDS
from fer_perturb.analysis.power import seeds_needed
from fer_perturb.errors import UserError
from fer_perturb.report.page.contrasts import Contrast
from fer_perturb.report.page.fields import BASELINE, PERTURB, Field
from fer_perturb.report.page.words import points, span

MARGIN = 0.01  # of balanced accuracy: less is no gain worth having (docs/protocol.md)
PAPER_EPOCHS = 200
CONTROLS = ("position_only", "moved_maps", "copies", "extra_erasing")  # what tells attention from mere hiding

Verdict = Literal["yes", "no", "harms", "open", "untold"]


@dataclass(frozen=True)
class Answer:
    """verdict: the headline's; sentences: why; would_change: what could turn it; contrast: the one that it rests on."""

    verdict: Verdict
    headline: str
    sentences: tuple[str, ...]
    would_change: tuple[str, ...]
    contrast: Contrast | None


def answer(contrasts: Sequence[Contrast], fields: Sequence[Field]) -> Answer:
    """From the contrasts of Perturb with the baseline, of which the one that says most decides."""
    asked = [of for of in contrasts if of.against_baseline and of.first.scheme in PERTURB and of.deciding]
    if not asked:
        return Answer("untold", "Not measured yet", (_why_untold(fields),), tuple(_commands(fields)), None)
    decides = min(asked, key=_rank)
    verdict = verdict_of(decides)
    return Answer(
        verdict,
        HEADLINES[verdict],
        (_difference(decides), *_meaning(decides, verdict), *_others(asked, decides), *_controls(contrasts, decides)),
        tuple(_would_change(decides, verdict, contrasts, fields)),
        decides,
    )


HEADLINES: dict[Verdict, str] = {
    "yes": "Yes, it helps",
    "no": "No gain worth having",
    "harms": "No, it harms",
    "open": "These runs cannot tell",
    "untold": "Not measured yet",
}


def verdict_of(contrast: Contrast) -> Verdict:
    """By the 95 % interval alone: above 0, below 0, below MARGIN, or none of these."""
    low, high = contrast.interval
    if low > 0:
        return "yes"
    if high < 0:
        return "harms"
    return "no" if high < MARGIN else "open"


def _rank(of: Contrast) -> tuple[object, ...]:
    """People's faces before drawn ones, the paper's form before its variants, more seeds, and equal cost."""
    equal = of.found.contrast.equal
    budget = min((("flops", "passes", "epochs").index(name) for name in equal), default=3)
    variant = (PERTURB.index(of.first.scheme), of.first.name.count("="))
    return of.field.drawn, variant, -min(len(of.found.seeds), 10), budget, of.second.name.count("=")


def _difference(of: Contrast) -> str:
    contrast, n = of.found.contrast, len(of.found.seeds)
    direction = "above" if of.balanced.mean > 0 else "below"
    told = f"With {of.field.name}, `{of.first.name}` ({WORDS[contrast.readings[0]]}) is "
    told += f"{points(abs(of.balanced.mean))} of balanced accuracy {direction} `{of.second.name}`"
    low, high = of.interval
    if low == low:
        return f"{told} (95 % interval of the difference {span(low, high)}, over {n} paired seeds and the test images)."
    return f"{told} in one seed. That has no interval: another seed may say the opposite."


def _meaning(of: Contrast, verdict: Verdict) -> Iterator[str]:
    contrast, improvement = of.found.contrast, of.found.improvement
    if contrast.equal:
        yield f"Both spent equal {' and '.join(contrast.equal)}{_unequal(of)}."
    else:
        yield f"They spent no budget equally{_unequal(of)}."
    if len(of.found.seeds) > 1:
        chance, among = improvement.probability, (improvement.low, improvement.high)
        yield (
            f"A run with the scheme beats one without in {100 * chance:.0f} % of pairs of seeds "
            f"({100 * among[0]:.0f} to {100 * among[1]:.0f} %)."
        )
    if verdict == "open" and of.interval[0] == of.interval[0]:
        yield "The interval holds both no difference and a gain of a point, so neither is excluded."
    if verdict == "no":
        yield "The interval excludes a gain of a point or more."


def _unequal(of: Contrast) -> str:
    contrast = of.found.contrast
    others = [
        f"{ratio:.2g} times the {name}"
        for name, ratio in zip(BUDGETS, contrast.spent, strict=True)
        if name not in contrast.equal and ratio == ratio
    ]
    return f" (the scheme took {' and '.join(others)})" if others else ""


def _others(asked: Sequence[Contrast], decides: Contrast) -> Iterator[str]:
    """Whether other fields and variants agree."""
    others = [verdict_of(of) for of in asked if of is not decides]
    if others:
        told = [f"{others.count(name)} {words}" for name, words in TALLY.items() if name in others]
        noun = "contrast" if len(others) == 1 else "contrasts"
        yield f"Of {len(others)} other {noun} with a baseline, {_listed(told)}."


TALLY: dict[Verdict, str] = {
    "yes": "show a gain",
    "harms": "show a loss",
    "no": "exclude a gain worth having",
    "open": "cannot tell",
}


def _controls(contrasts: Sequence[Contrast], decides: Contrast) -> Iterator[str]:
    """What Perturb has over schemes that hide without its attention."""
    of_field = [of for of in contrasts if of.first is decides.first and not of.against_baseline]
    above = [f"`{of.second.name}`" for of in of_field if of.interval[0] > 0]
    below = [f"`{of.second.name}`" for of in of_field if of.interval[1] < 0]
    every = [f"`{of.second.name}`" for of in of_field]
    unclear = [name for name in every if name not in (*above, *below)]
    if of_field:
        told = [f"above {_listed(above)}"] if above else []
        told += [f"below {_listed(below)}"] if below else []
        told += [f"not to be told from {_listed(unclear)}"] if unclear else []
        yield f"Beside its controls it is {'; '.join(told)}."


def _would_change(
    of: Contrast, verdict: Verdict, contrasts: Sequence[Contrast], fields: Sequence[Field]
) -> Iterator[str]:
    yield from _seeds(of, verdict)
    if "flops" not in of.found.contrast.equal:
        yield ("A comparison at equal cost, phase 1 included: `budget=flops` gives both the same operations.")
    epochs = of.first.runs[0].settings["recipe"]["epochs"]
    if epochs < PAPER_EPOCHS:
        yield (
            f"Longer training: these runs train for {epochs} epochs, the paper for {PAPER_EPOCHS}, where networks "
            "overfit and hiding may help (`recipe=paper`)."
        )
    if of.field.drawn:
        yield "Faces of people: these are drawn, and easier (`make data SOURCE=fer2013.zip`)."
    known = {one.second.scheme for one in contrasts if one.first is of.first}
    if missing := [name for name in CONTROLS if name not in known]:
        names = _listed([f"`{name}`" for name in missing])
        yield (
            f"Controls that are missing: {names}. Without them a gain is not known "
            "to be the attention's (`make controls`)."
        )
    if len({field.model for field in fields if not field.drawn or of.field.drawn}) == 1:
        yield f"Another network: {of.field.model} is the only one here."


def _seeds(of: Contrast, verdict: Verdict) -> Iterator[str]:
    n, spread = len(of.found.seeds), of.found.measures["balanced_accuracy"]
    if n < 2:
        yield "More seeds: with two or more there is an interval (`seed=0,1,2,3,4`)."
    elif verdict in ("open", "no"):
        try:
            needed = seeds_needed(100 * MARGIN, 100 * spread.deviation)
        except UserError:
            return
        more = f"{n} are here" if needed > n else f"{n} are here, and test images make up the rest of the interval"
        yield (
            f"More seeds: they deviate by {points(spread.deviation)}, so a gain of a point would be found with a "
            f"probability of 80 % by {needed} paired seeds ({more})."
        )
    else:
        away = abs(of.balanced.mean) / of.balanced.error if of.balanced.error else float("inf")
        yield (
            f"Other seeds or other test images of the same kind hardly would: the difference is {away:.1f} standard "
            "errors away from none."
        )


def _why_untold(fields: Sequence[Field]) -> str:
    schemes = {setting.scheme for field in fields for setting in field.settings}
    if not fields:
        return "There is no finished run yet, so nothing has been compared."
    if BASELINE not in schemes:
        return "There is no run of the baseline, which any gain is told from."
    if not schemes & {*PERTURB}:
        return "There is no run of the Perturb Scheme beside the baseline."
    return (
        "There are runs of the baseline and of the scheme, but no two that share data, network, recipe and seed and "
        "have their predictions."
    )


def _commands(fields: Sequence[Field]) -> Iterator[str]:
    if not fields:
        yield "On drawn faces, in two minutes: `make demo`."
    yield "On FER2013: `python -m fer_perturb.train -m scheme=baseline,perturb seed=0,1,2`."


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
