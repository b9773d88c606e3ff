"""What the scheme gains: the paper's Tables 2 and 3, a row a network, beside the paper's own numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fer_perturb.analysis.statistics import Estimate, holm
from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.paper.values import Version, networks, reported
from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.figures import NAN, Bar, interval_figure
from fer_perturb.report.exhibits.judging import (
    GAIN,
    SEEDS,
    baseline_of,
    by,
    decimal,
    difference,
    gained,
    over_seeds,
    percent,
    scores,
    seed_numbers,
    whole_faces,
)
from fer_perturb.report.settings import Run, as_in_the_paper
from fer_perturb.tables.table import Cell, Column, Table, missing, number, words

COLUMNS = ("baseline accuracy", "perturb accuracy", "baseline F1", "perturb F1")  # of the paper's Table 2
PAPERS_DATA = "fer2013"
STAR = "* p < 0.05, two-sided over seeds, with Holm over the row."


@dataclass(frozen=True)
class Pair:
    """A network under the baseline and under Perturb. what: of which data and recipe, and what else is its own."""

    data: str
    network: str
    what: str
    baseline: Sequence[Run]
    perturb: Sequence[Run]
    gain: Estimate | None

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.baseline[0][1]["test"]["per_class"])

    def stands_for(self, network: str) -> bool:
        """Whether it is that network of the paper's, or its small version, on the paper's data."""
        return self.data == PAPERS_DATA and self.network in networks()[network].values()


def table2(runs: Sequence[Run]) -> Exhibit | None:
    """The paper's Tables 2 and 3: a row a network, then what each emotion gains."""
    return table2_of({f"{runs[0][1]['dataset'].partition('+')[0]}, recipe {runs[0][1]['recipe']}": runs})


def table2_of(groups: Mapping[str, Sequence[Run]], *, always: bool = False) -> Exhibit | None:
    """The same of several groups of runs. always: even if none of them tells, as the paper's numbers alone."""
    pairs = [pair for label, runs in groups.items() for pair in _pairs(label, whole_faces(runs))]
    if not pairs and not always:
        return None
    gains = {name: _paper_gain(name) for name in networks()}
    bars = []
    for pair in pairs:
        if pair.gain:
            low, high = pair.gain.interval()
            paper = next((gain for name, gain in gains.items() if pair.stands_for(name)), NAN)
            name = f"{pair.network}, {pair.what}".strip(", ").replace("`", "")
            bars.append(Bar(name, 100 * pair.gain.mean, 100 * low, 100 * high, paper))
    label = "gain, points of balanced accuracy; x: the paper's"
    figure = interval_figure(bars, label) if bars else None
    return Exhibit("What the scheme gains", [_scores_table(pairs), *_emotion_tables(pairs)], figure)


def _pairs(label: str, runs: Sequence[Run]) -> Iterator[Pair]:
    for model, of in by(runs, "model").items():
        for data in by(of, "dataset").values():
            baseline = baseline_of(data)
            perturbed = [of for of in by(data, "scheme").values() if of[0][1]["kind"] == "perturb"]
            same = [of for of in perturbed if as_in_the_paper(of[0][1]["chosen"])]
            for perturb in (same or perturbed) if baseline else []:
                name = perturb[0][1]["scheme"]
                own = f"`{name}`" if name != "perturb" else ""
                what = ", ".join(part for part in (label, own) if part)
                yield Pair(perturb[0][1]["dataset"], model, what, baseline, perturb, gained(perturb, baseline))


def _paper_gain(network: str) -> float:
    of = reported("table2")
    before, after = (of.value(network, f"{scheme} accuracy") for scheme in ("baseline", "perturb"))
    return NAN if before is None or after is None else after - before


def _scores_table(pairs: Sequence[Pair]) -> Table:
    def paper(name: str, version: Version) -> list[Cell] | None:
        accuracy, perturb, f1, other_f1 = (reported("table2").value(name, column, version) for column in COLUMNS)
        if accuracy is perturb is None:
            return None
        gain = number(None if accuracy is None or perturb is None else round(perturb - accuracy, 6), "+.1f")
        shares = [number(accuracy), number(perturb), gain]
        return [
            *shares,
            *(number(value, ".2f" if value and round(value, 2) == value else ".3f") for value in (f1, other_f1)),
        ]

    def here(pair: Pair) -> list[Cell]:
        both = [pair.baseline, pair.perturb]
        cells = [percent(scores(of, "test", "balanced_accuracy")) for of in both]
        return [*cells, difference(pair.gain), *(decimal(scores(of, "test", "f1_macro")) for of in both)]

    units = {
        "accuracy, baseline": "%",
        "accuracy, Perturb": "%",
        "gain": "points",
        "F1, baseline": "",
        "F1, Perturb": "",
    }
    return Table.of(
        "Table 2: balanced accuracy and macro F1 on the test split",
        [*_left(), *(Column(name, unit) for name, unit in units.items())],
        _rows(pairs, len(units), paper, here),
        f"{SEEDS} {GAIN} Each scheme is judged as it asks for: Perturb by the mean over its views, the baseline "
        "by the image alone (`controls` has both). The paper's accuracy is the balanced one, of one run each.",
    )


def _digits(value: float | None) -> str:
    """Two, as the paper prints most of its F1."""
    return ".2f" if value is None or round(value, 2) == value else ".3f"


def _emotion_tables(pairs: Sequence[Pair]) -> Iterator[Table]:
    """One of the paper's emotions, beside the paper; and one of each other set of classes."""
    title = "what each emotion gains with the scheme, in points of its accuracy"
    emotions = next((pair.classes for pair in pairs if pair.data == PAPERS_DATA), EMOTIONS)
    yield _emotions_table(f"Table 3: {title}", [pair for pair in pairs if pair.classes == emotions], emotions)
    for classes in dict.fromkeys(pair.classes for pair in pairs):
        if classes != emotions:
            of = [pair for pair in pairs if pair.classes == classes]
            yield _emotions_table(f"Of other classes, {title}", of, classes, beside_the_paper=False)


def _emotions_table(
    title: str, pairs: Sequence[Pair], emotions: Sequence[str], *, beside_the_paper: bool = True
) -> Table:
    def paper(name: str, version: Version) -> list[Cell] | None:
        values = [reported("table3").value(name, emotion, version) for emotion in emotions]
        return [number(value, "+g") for value in values] if any(value is not None for value in values) else None

    def here(pair: Pair) -> list[Cell]:
        of = [over_seeds(pair.perturb, pair.baseline, "per_class", name, "accuracy") for name in emotions]
        p = holm([NAN if one is None else one.p for one in of])
        return [_starred(one, at) for one, at in zip(of, p, strict=True)]

    return Table.of(
        title,
        [*_left(), *(Column(emotion) for emotion in emotions)],
        _rows(pairs, len(emotions), paper, here) if beside_the_paper else [_ours(pair, here(pair)) for pair in pairs],
        f"In brackets 95 % intervals over seeds, on these test images. {STAR}",
    )


def _starred(of: Estimate | None, p: float) -> Cell:
    cell = difference(of)
    return Cell(cell.value, cell.spec, cell.low, cell.high, also="*") if p < 0.05 else cell


def _left() -> list[Column]:
    return [Column(name, align="left") for name in ("network", "data and recipe", "seeds")]


def _rows(pairs: Sequence[Pair], width: int, paper: "PaperCells", here: "HereCells") -> list[list[Cell]]:
    """The paper's networks, printed, of the draft and here, then the other networks here."""
    stand = {name: [of for of in pairs if of.stands_for(name)] for name in networks()}
    lacking = [name for name, of in stand.items() if not of]
    asked = ",".join(next(iter(networks()[name])) for name in lacking)
    command = missing(f'make table2 ARGS="scale=paper model={asked}"')
    rows = list[list[Cell]]()
    for name, of in stand.items():
        versions: dict[str, Version] = {"the paper": "printed", "the draft": "draft"}
        for told, version in versions.items():
            if cells := paper(name, version):
                rows.append([words(name), words(told), words(""), *cells])
        rows += [_ours(pair, here(pair)) for pair in of]
        if name in lacking:
            rows.append([words(name), words("here"), words(""), *([command] * width)])
    others = (pair for pair in pairs if not any(map(pair.stands_for, networks())))
    return rows + [_ours(pair, here(pair)) for pair in others]


def _ours(pair: Pair, cells: Sequence[Cell]) -> list[Cell]:
    return [words(pair.network), words(pair.what), words(seed_numbers(pair.perturb)), *cells]


PaperCells = Callable[[str, Version], list[Cell] | None]
HereCells = Callable[[Pair], list[Cell]]
