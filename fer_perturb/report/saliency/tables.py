"""What was measured of where networks look, as tables."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_perturb.saliency.clusters import POSITION, TESTED
from fer_perturb.saliency.comparing import Comparison, Verdict
from fer_perturb.saliency.measured import RANDOM, Measured, interval_of
from fer_perturb.saliency.regions import PARTS
from fer_perturb.saliency.resampling import Interval, Resampling, intervals
from fer_perturb.saliency.sentences import CLUSTERS, PERTURB, SALIENCY
from fer_perturb.tables.table import Cell, Column, Table, number, words

DENSITY = (
    "Share of the saliency on a part of the face, divided by that part's share of the pixels: 1 is what looking at all "
    "pixels alike would give. "
)
SENTENCES = (
    "Densities, or differences of two networks' densities, with their 95 % intervals; of clusters the share of faces. "
    "A sentence is held where each estimator's whole interval lies where the paper says, not held where each lies on "
    "the other side, and not decidable else. Of one seed it says what these very networks do."
)
CURVES = (
    "Area under the curve of the probability of the face's emotion, while the most salient pixels are replaced by the "
    "mean grey (deletion: less is better), or while they alone are shown on it (insertion: more is better). Pixels in "
    "random order are the control."
)
SANITY = (
    "Spearman's rank correlation of the trained network's maps with those of a network whose layers, from the last one "
    "on, have their weights shuffled (mean over {} faces). What shows what was learned falls towards 0; what stays is "
    "the picture's own edges, or a face's usual place."
)
CLUSTER = (
    "How much of each part lies in each cluster, over the faces whose landmarks are firmly placed; in round brackets "
    "their intersection over their union. Agreement: adjusted Rand index with the tested map. Position alone: the "
    "layout that k-means gives without attention, next to the tested one. Two eyes and a mouth: of how many faces most "
    "of each eye lies in a cluster of its own, and most of mouth and nose in the third."
)


def density_table(of: Comparison, *, by_emotion: bool) -> Table:
    """Where each arm looks: a row an arm and estimator, of all faces, and of those of each emotion."""
    rows = []
    for name, arm in of.arms.items():
        for method in of.methods(name):
            for emotion, emotions in _emotions(of, by_emotion):
                cells = map(_number, of.densities(name, method, emotions))
                rows.append([words(_seeds(name, arm.seeds)), words(method), words(emotion), *cells])
    columns = [*_left("network", "estimator", "emotion"), *map(Column, PARTS)]
    return Table.of(f"Where the network looks: {_faces(of)}", columns, rows, DENSITY + _intervals(of))


def difference_table(of: Comparison, arm: str, less: str) -> Table:
    """Where the one looks more than the other, by emotion: a row an estimator and emotion."""
    rows = []
    for method in (name for name in of.methods(arm) if name in of.methods(less)):
        for emotion, emotions in _emotions(of, by_emotion=True):
            cells = [_number(one, "+.2f") for one in of.differences(arm, less, method, emotions)]
            rows.append([words(method), words(emotion), *cells])
    columns = [*_left("estimator", "emotion"), *map(Column, PARTS)]
    note = f"Density of {arm} less that of {less}, on the same faces. {_intervals(of)}"
    return Table.of(f"Where {arm} looks more than {less}: {_faces(of)}", columns, rows, note)


def sentence_table(of: Comparison) -> Table:
    """The paper's sentences on its figures, a row each: what was seen by each estimator, and whether it holds."""
    headings = ("sentence", "where", "what would be seen", *SALIENCY, "attention or clusters", "verdict")
    note = SENTENCES
    if PERTURB in of.arms and all(run.told["clusters"] for run in of.arms[PERTURB].runs):
        alone = of.of_clusters(PERTURB)
        note += f" Clusters by positions alone are {CLUSTERS} in {100 * alone.value:.0f} % of the faces."
    return Table.of(f"The paper's sentences: {_faces(of)}", _left(*headings), map(_sentence, of.verdicts()), note)


def _sentence(verdict: Verdict) -> list[Cell]:
    said, sentence = verdict.numbers, verdict.sentence
    spec = "+.2f" if sentence.less else ".2f"
    cells = [_number(said[method], spec) if method in said else Cell() for method in SALIENCY]
    others = [_number(of, spec) for name, of in said.items() if name not in SALIENCY]
    text = f"{verdict.word}: {verdict.why}" if verdict.why else f"{verdict.word} ({_networks(verdict.seeds)})"
    quoted = words(f"“{sentence.words}”")
    return [quoted, words(sentence.where), words(sentence.reading), *cells, *(others or [Cell()]), words(text)]


def curve_table(measured: Measured) -> Table:
    """Whether it matters where it looks: a row an estimator, against random order."""
    draws = Resampling(measured.column("label").astype(np.int64), 1)
    rows = []
    for method in measured.faces["method"].unique():
        cells = [words(method)]
        for name in ("deletion", "insertion"):
            own, random = (_areas(measured, of, name) for of in (method, RANDOM))
            area, control = draws.ratios(own, np.ones_like(own)), draws.ratios(random, np.ones_like(random))
            cells.append(_number(intervals(area)[0], ".3f"))
            cells.append(Cell() if method == RANDOM else _number(intervals(area - control)[0], "+.3f"))
        rows.append(cells)
    headings = ("deletion", "less random", "insertion", "less random")
    return Table.of("Whether it matters", [*_left("estimator"), *map(Column, headings)], rows, CURVES)


def sanity_table(measured: Measured) -> Table:
    """How alike the maps of a network with shuffled weights are: a row a depth, a column an estimator."""
    told = measured.told["sanity"]
    methods = list(dict.fromkeys(of["method"] for of in told))
    rows = []
    for share in dict.fromkeys(of["shuffled"] for of in told):
        found = {of["method"]: interval_of(of["correlation"]) for of in told if of["shuffled"] == share}
        rows.append([number(100 * share, ".0f"), *(_number(found[name]) for name in methods)])
    columns = [Column("layers shuffled", "%"), *map(Column, methods)]
    note = SANITY.format(told[0]["images"])
    return Table.of("Sanity check: weights shuffled, layer by layer", columns, rows, note)


def shuffled_table(measured: Measured) -> Table:
    """Where a network looks that has learned nothing."""
    last = [of for of in measured.told["sanity"] if "density" in of]
    rows = [[words(of["method"]), *(_number(interval_of(of["density"][part])) for part in PARTS)] for of in last]
    note = "Densities of the same network with all of its weights shuffled: what the pictures alone bring about."
    return Table.of("Where it would look with nothing learned", [*_left("estimator"), *map(Column, PARTS)], rows, note)


def cluster_table(measured: Measured) -> Table | None:
    """Which part of the face lies in which cluster, and how maps agree with the tested ones; None without clusters."""
    told = measured.told["clusters"]
    if told is None:
        return None
    rows = []
    for of in told["maps"]:
        when = of["when"] if of["when"] in (TESTED, POSITION) else f"epoch {of['when'] + 1}"
        alike = told["agreement_with_tested"].get(str(of["when"]), 1.0)
        eyes = _number(_percent(interval_of(of["two_eyes_and_a_mouth"])), ".0f")
        for cluster, (shares, ious) in enumerate(zip(of["share"], of["iou"], strict=True)):
            first = [words(when), number(alike, ".2f"), eyes] if cluster == 0 else [words("")] * 3
            cells = [_overlap(*pair) for pair in zip(shares, ious, strict=True)]
            rows.append([*first, number(cluster + 1, "d"), *cells])
    columns = [*_left("map"), Column("agreement"), Column(CLUSTERS, "% of faces"), Column("cluster")]
    columns += [Column(part, "%") for part in PARTS]
    return Table.of("What the clusters are", columns, rows, CLUSTER)


def seed_table(of: Comparison) -> Table | None:
    """How alike the clusters of different seeds are; None where there are no two."""
    rows = []
    for name, arm in of.arms.items():
        if alike := of.agreement_of_seeds(name):
            cells = (number(float(at), ".2f") for at in (np.mean(alike), min(alike), max(alike)))
            rows.append([words(_seeds(name, arm.seeds)), number(len(alike), "d"), *cells])
    if not rows:
        return None
    columns = [*_left("network"), Column("pairs of seeds"), Column("mean"), Column("least"), Column("most")]
    return Table.of("Clusters of different seeds: adjusted Rand index of their tested maps", columns, rows)


def _emotions(of: Comparison, by_emotion: bool) -> Iterable[tuple[str, tuple[str, ...]]]:
    """What a row is called, and of which emotions it is: all, and each that there are faces of."""
    yield "all", ()
    for emotion in of.classes if by_emotion else ():
        if len(of.rows((emotion,))):
            yield emotion, (emotion,)


def _areas(measured: Measured, method: str, name: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = measured.faces[measured.faces["method"] == method][name].to_numpy(np.float64)
    return values[None, :, None]


def _overlap(share: dict[str, Any], iou: dict[str, Any]) -> Cell:
    return number(100 * interval_of(share).value, ".0f", also=f"({100 * interval_of(iou).value:.0f})")


def _left(*headings: str) -> list[Column]:
    return [Column(heading, align="left") for heading in headings]


def _number(of: Interval, spec: str = ".2f") -> Cell:
    return number(of.value, spec, interval=(of.low, of.high))


def _percent(of: Interval) -> Interval:
    return Interval(100 * of.value, 100 * of.low, 100 * of.high)


def _seeds(name: str, seeds: Sequence[int]) -> str:
    return f"{name}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _networks(seeds: int) -> str:
    return "one seed" if seeds == 1 else f"{seeds} seeds"


def _intervals(of: Comparison) -> str:
    several = any(len(arm.seeds) > 1 for arm in of.arms.values())
    rest = " and seeds." if several else "; they do not cover what other seeds would change."
    return f"In brackets 95 % intervals by a bootstrap over faces{rest}"


def _faces(of: Comparison) -> str:
    which = ", those with firmly placed landmarks" if of.placed and not of.all_placed else ""
    return f"{len(of.rows(()))} faces of {of.about['looked_at']}{which}, {of.about['model']}"
