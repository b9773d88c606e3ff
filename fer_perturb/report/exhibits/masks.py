"""What masks cost each emotion (the paper's Table 1)."""

from collections.abc import Sequence

from fer_perturb.analysis.accuracy_change import Change
from fer_perturb.paper.values import reported
from fer_perturb.report.exhibits.change_figure import change_figure
from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.judging import answers, changes, each, intervals, of_dataset, relative, seeds, tested
from fer_perturb.report.settings import Run
from fer_perturb.tables.table import Column, Table, number, words


def table1(runs: Sequence[Run]) -> Exhibit | None:
    """Relative change of each emotion's accuracy, for each pair of training and testing that the paper could mean."""
    tables = list[Table]()
    blocks: dict[str, dict[str, list[Change]]] = {}
    emotions: list[str] = []
    for scheme in each(runs, "scheme"):
        of = [run for run in runs if run[1]["scheme"] == scheme]
        trained = {data: of_dataset(of, data) for data in ("fer2013", "maskfer")}
        if not all(trained.values()):
            continue
        cell = {(data, on): tested(trained[data], on) for data in trained for on in trained}
        own = cell["fer2013", "fer2013"]
        columns = {
            "trained and tested on MaskFer": changes(own, cell["maskfer", "maskfer"], of),
            "trained on FER2013, tested on MaskFer": changes(own, cell["fer2013", "maskfer"], of),
            "trained on MaskFer, tested on FER2013": changes(own, cell["maskfer", "fer2013"], of),
        }
        tables.append(_table(f"under `{scheme}`, against trained and tested on FER2013{seeds(of)}", columns))
        emotions = list(next(iter(columns.values())))
        named = {f"trained on {data}, tested on {on}": of for (data, on), of in cell.items()}
        tables.append(answers(f"`{scheme}`", named, emotions[1:]))
        blocks[scheme] = {title: list(of_each.values()) for title, of_each in columns.items()}
    if not tables:
        return None
    return Exhibit("What masks cost each emotion", tables, change_figure(blocks, emotions))


def _table(title: str, columns: dict[str, dict[str, Change]]) -> Table:
    first = next(iter(columns.values()))
    ranges = {row: reported("table1").column(row) for row in first}
    rows = []
    for row in first:
        cells = [relative(of[row]) for of in columns.values()]
        paper = f"{min(ranges[row]):+g} to {max(ranges[row]):+g} %" if ranges.get(row) else ""
        rows.append([words(row), number(100 * first[row].before), *cells, words(paper)])
    note = intervals(columns)
    known = {row: paper for row, paper in ranges.items() if paper}
    if len(known) == len(first) - 1:  # of all, the paper says nothing
        agreeing = [
            f"{name}: {sum(_same_sign(of[row], paper) for row, paper in known.items())} of {len(known)}"
            for name, of in columns.items()
        ]
        note = f"Emotions whose change has the sign of most of the paper's networks: {'; '.join(agreeing)}. {note}"
    headings = [Column("", align="left"), Column("FER2013", "%"), *(Column(name, "%", each=True) for name in columns)]
    return Table.of(f"Change of the accuracy {title}", [*headings, Column("the paper's Table 1")], rows, note)


def _same_sign(found: Change, paper: Sequence[float]) -> bool:
    return found.relative * sum(paper) > 0
