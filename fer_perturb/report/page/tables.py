"""The report's own tables, data first."""

from collections.abc import Sequence
from typing import Any

from fer_perturb.report.page.contrasts import Contrast
from fer_perturb.report.page.effort import Effort
from fer_perturb.report.page.run_page import RunPage
from fer_perturb.tables import Cell, Column, Table, number, words

READ_BY = {"original": "image", "views": "views"}


def of_contrasts(contrasts: Sequence[Contrast]) -> Table:
    """A row a contrast; where there are several fields, each says its own."""
    several = len({of.field.name for of in contrasts}) > 1
    left = [Column(name, align="left") for name in ("first less second", *(["of"] if several else []))]
    left += [Column("read by", align="left"), Column("equal", align="left")]
    right = [Column("seeds"), Column("difference", "points"), Column("accuracy", "points"), Column("effect")]
    right += [Column("better", "% of pairs"), Column("p, Holm")]
    return Table.of(
        "Each scheme less the baseline, and Perturb less its controls",
        [*left, *right],
        [_contrast(of, several) for of in contrasts],
        "Points of balanced accuracy on the test split, with 95 % intervals over seeds and images, where there are two "
        "seeds. `read by`: whether the first, and the second, judge the image alone or by the mean over its views. "
        "`equal`: which of epochs, image passes and operations (flops) both spent equally, within a tenth. "
        "`effect`: the mean in deviations of a seed (Hedges). `better`: how often a run of the first beats one of the "
        "second. p is two-sided over seeds, with Holm's correction for all rows.",
    )


def _contrast(of: Contrast, several: bool) -> list[Cell]:
    contrast, found = of.found.contrast, of.found
    low, high = of.interval
    paired = len(found.seeds) > 1
    return [
        words(f"`{of.first.name}` less `{of.second.name}`"),
        *([words(f"{of.field.model}, {of.field.dataset}, {of.field.recipe}")] if several else []),
        words(", ".join(READ_BY[name] for name in contrast.readings)),
        words(", ".join(contrast.equal) or "nothing"),
        number(len(found.seeds), "d"),
        number(100 * of.balanced.mean, "+.1f", interval=(100 * low, 100 * high)),
        number(100 * found.accuracy.mean, "+.1f"),
        number(found.measures["balanced_accuracy"].effect, "+.2f"),
        number(100 * found.improvement.probability, ".0f") if paired else Cell(),
        _p(of.p) if paired else Cell(),
    ]


def _p(p: float) -> Cell:
    return number(p, ".3f") if p >= 0.001 else number(p, ".0e")


def of_efforts(efforts: Sequence[Effort]) -> Table:
    """A row a scheme and dataset."""
    left = [Column("data", align="left"), Column("scheme", align="left")]
    right = [Column(name) for name in ("settings tried", "of these in searches", "runs", "seeds")]
    rows = [
        [
            words(of.dataset),
            words(f"`{of.scheme}`"),
            *(number(n, "d") for n in (of.tried, of.trials, of.runs, of.seeds)),
        ]
        for of in efforts
    ]
    return Table.of(
        "Settings tried per scheme",
        [*left, *right],
        rows,
        "A setting is all that a run chose but for its seed. The best of many settings looks better than the only one "
        "by chance, so compare schemes that were tried equally often. Runs that were removed since are not counted.",
    )


def of_classes(page: RunPage) -> Table:
    """A row a class."""
    columns = [Column("class", align="left"), Column("accuracy", "%"), Column("F1"), Column("images")]
    rows = [
        [words(name), number(_hundred(of["accuracy"])), number(of["f1"], ".3f"), number(of["support"], "d")]
        for name, of in page.per_class.items()
    ]
    return Table.of("By class", columns, rows)


def of_measures(page: RunPage) -> Table:
    """What the run reached, a row a measure."""
    of, alone = page.measures, page.score("test", "accuracy_no_twins")
    rows: list[tuple[str, Cell]] = [
        ("accuracy, %", number(_hundred(page.score("test", "accuracy")))),
        ("balanced accuracy, %", number(_hundred(page.score("test", "balanced_accuracy")))),
        ("macro F1", number(page.score("test", "f1_macro"), ".3f")),
        ("accuracy on val, %", number(_hundred(page.score("val", "accuracy")))),
        ("accuracy without twins of training images, %", number(_hundred(alone))),
        *((f"accuracy, {name}, %", number(_hundred(value))) for name, value in page.by_view.items()),
        ("expected calibration error", number(of.get("ece"), ".3f")),
        ("Brier score", number(of.get("brier"), ".3f")),
        ("area under risk and coverage", number(of.get("aurc"), ".3f")),
    ]
    columns = [Column("measure", align="left"), Column("value")]
    return Table.of("On the test split", columns, [[words(name), cell] for name, cell in rows])


def of_phases(page: RunPage) -> Table | None:
    """What each phase took."""
    titles = {"attention": "1 attention", "clustering": "2 clustering", "predictor": "3 predictor"}
    phases: dict[str, dict[str, Any]] = {
        name: of for name, of in page.summary["phases"].items() if isinstance(of, dict) and name in titles
    }
    columns = [Column("phase", align="left"), Column("time", "s"), Column("epochs"), Column("best epoch")]
    columns += [Column("image passes"), Column("operations", "TFLOP")]
    rows = [
        [
            words(titles[name]),
            number(of.get("seconds"), ".0f"),
            number(of.get("epochs"), "d"),
            number(None if of.get("best_epoch") is None else of["best_epoch"] + 1, "d"),
            number(of.get("passes"), ",d"),
            number(None if of.get("flops") is None else of["flops"] / 1e12, ".2f"),
        ]
        for name, of in phases.items()
    ]
    return Table.of("What it took", columns, rows) if rows else None


def of_mistakes(page: RunPage) -> Table:
    """A row a mistake."""
    columns = [Column(name, align="left") for name in ("image", "labelled", "taken for")]
    rows = [
        [words(of.name), words(of.label), words(of.answer), number(100 * of.confidence, ".0f")] for of in page.mistakes
    ]
    return Table.of("The surest mistakes", [*columns, Column("sure", "%")], rows)


def _hundred(share: float | None) -> float | None:
    return None if share is None else 100 * share
