"""What masks cost each emotion: the paper's Table 1, and the other pairs of training and testing that it could mean."""

from collections.abc import Mapping, Sequence
from statistics import mean

from fer_perturb.analysis.accuracy_change import Change, Recognised
from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.paper.values import networks, reported
from fer_perturb.report.exhibits.answering import answers, intervals
from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.figures import change_figure
from fer_perturb.report.exhibits.judging import UNREADABLE, by, changes, of_dataset, relative, seed_numbers, tested
from fer_perturb.report.settings import Run
from fer_perturb.tables.table import Cell, Column, Table, missing, number, words

WHOLE, MASKED = "fer2013", "maskfer"
PAIRS = {
    "trained and tested on MaskFer": (MASKED, MASKED),
    "trained on FER2013, tested on MaskFer": (WHOLE, MASKED),
    "trained on MaskFer, tested on FER2013": (MASKED, WHOLE),
}
Found = dict[tuple[str, str, str], dict[str, Change]]  # network, what it is, seeds -> emotion -> its change


def table1(runs: Sequence[Run]) -> Exhibit | None:
    """Relative change of each emotion's accuracy, for each pair of training and testing that the paper could mean."""
    return table1_of({"": runs})


def table1_of(groups: Mapping[str, Sequence[Run]], *, always: bool = False) -> Exhibit | None:
    """The same of several groups of runs. always: even if none of them tells, as the paper's numbers alone."""
    found: Found = {}
    judged: dict[str, dict[str, Recognised]] = {}
    for label, runs in groups.items():
        for of in (same for of_model in by(runs, "model").values() for same in by(of_model, "scheme").values()):
            model, scheme = of[0][1]["model"], of[0][1]["scheme"]
            both = [run for run in of if {WHOLE, MASKED} <= {run[1]["dataset"], *run[1]["test_on"]}]
            trained = {data: of_dataset(both, data) for data in (WHOLE, MASKED)}
            if not all(trained.values()):
                continue
            try:
                cell = {(data, on): tested(trained[data], on) for data in trained for on in trained}
            except UNREADABLE:
                continue
            what = f"`{scheme}`" + (f", {label}" if label else "")
            for title, pair in PAIRS.items():
                key = model, f"{what}, {title}", seed_numbers(of)
                found[key] = changes(cell[WHOLE, WHOLE], cell[pair], of)
            told = {f"trained on {data}, tested on {on}": one for (data, on), one in cell.items()}
            judged[f"{model}, {what}"] = told
    if not found and not always:
        return None
    emotions = list(next(iter(found.values()))) if found else ["all", *EMOTIONS]
    tables = [_table(found, emotions)]
    tables += [answers(title, of, emotions[1:]) for title, of in judged.items()]
    blocks = {"": {f"{key[0]}, {key[1]}".replace("`", ""): [*row.values()] for key, row in found.items()}}
    return Exhibit("What masks cost each emotion", tables, change_figure(blocks, emotions) if found else None)


def _table(found: Found, emotions: Sequence[str]) -> Table:
    paper = reported("table1")
    lacking = [name for name, ours in networks().items() if not any(key[0] in ours.values() for key in found)]
    asked = ",".join(next(iter(networks()[name])) for name in lacking)
    command = missing(f'make table1 ARGS="recipe=paper model={asked}"')
    rows = list[list[Cell]]()
    for name, ours in networks().items():
        for version in ("printed", "draft"):
            values = [paper.value(name, emotion, version) for emotion in emotions]
            if any(value is not None for value in values):
                told = [words(name), words(f"the paper, {version}" if version == "printed" else "the draft"), words("")]
                rows.append([*told, *(number(value, "+g") for value in values)])
        rows += [_row(key, of) for key, of in found.items() if key[0] in ours.values()]
        if name in lacking:
            rows.append([words(name), words("here"), words(""), *([command] * len(emotions))])
    known = {model for ours in networks().values() for model in ours.values()}
    rows += [_row(key, of) for key, of in found.items() if key[0] not in known]
    columns = [Column(name, align="left") for name in ("network", "trained and tested", "seeds")]
    return Table.of(
        "Change of the accuracy, against trained and tested on FER2013",
        [*columns, *(Column(emotion, "%", each=True) for emotion in emotions)],
        rows,
        _note(found, emotions),
    )


def _row(key: tuple[str, str, str], of: dict[str, Change]) -> list[Cell]:
    return [*map(words, key), *map(relative, of.values())]


def _note(found: Found, emotions: Sequence[str]) -> str:
    """How many emotions change as they do in most of the paper's networks, and what the intervals are."""
    paper = reported("table1")
    signs = {emotion: mean(paper.column(emotion)) for emotion in emotions if paper.column(emotion)}
    if not found:
        return f"{paper.source}: {paper.says}."
    agreeing = [
        f"{model}, {what}: {sum(of[emotion].relative * sign > 0 for emotion, sign in signs.items())} of {len(signs)}"
        for (model, what, _), of in found.items()
    ]
    told = (
        f"Emotions whose change has the sign of most of the paper's networks: {'; '.join(agreeing)}. " if signs else ""
    )
    return f"{told}{intervals({f'{key[0]}, {key[1]}': of for key, of in found.items()})}"
