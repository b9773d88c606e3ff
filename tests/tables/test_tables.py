"""One table in each format: the same cells, nothing lost and nothing taken for markup."""

import csv
import io
import math
import re
from xml.etree import ElementTree

import pytest

from fer_perturb.tables import Column, Table, missing, number, words
from fer_perturb.tables.csv import as_csv
from fer_perturb.tables.html import html, page
from fer_perturb.tables.latex import latex
from fer_perturb.tables.markdown import markdown
from fer_perturb.tables.terminal import print_table

TABLE = Table.of(
    "What `a|b` & <c> cost, 5 %",
    [Column("scheme", align="left"), Column("seeds"), Column("balanced_accuracy", "%"), Column("gain", "%", each=True)],
    [
        [words("`one_two`"), number(3, "d"), number(100 / 3, spread=0.25), number(-2.04, "+.1f", interval=(-4, 0.125))],
        [words("x|y [z] <b>*"), number(None), number(math.nan), missing("make table2 ARGS=\"seed=1\"")],
        [words(""), number(12, "d"), number(9.5), number(0.5, "+.1f", interval=(math.nan, math.nan), also="(cached)")],
    ],
    "Means over the seeds; `n` < 4.",
)  # fmt: skip
SHOWN = [
    ["one_two", "3", "33.3 ± 0.2", "-2.0 % [-4.0, +0.1]"],
    ["x|y [z] <b>*", "-", "-", "not run"],
    ["", "12", "9.5", "+0.5 % (cached)"],
]


def test_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(TABLE)
    shown = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown.splitlines() if line[:1] == "│"]
    assert rows == SHOWN
    assert "What a|b & <c> cost, 5 %" in shown
    assert shown.splitlines()[-2:] == ["Means over the seeds; n < 4.", 'not run: make table2 ARGS="seed=1"']


def test_markdown() -> None:
    title, table, note, missed = markdown(TABLE).split("\n\n")
    assert title == r"**What `a\|b` & \<c> cost, 5 %**"
    lines = table.splitlines()
    assert lines[0] == "| scheme | seeds | balanced_accuracy, % | gain |"
    assert lines[1] == "|---|---:|---:|---:|"
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
    assert [[re.sub(r"\\(.)", r"\1", cell).replace("`", "") for cell in row] for row in cells] == SHOWN
    assert cells[0][0] == "`one_two`"
    assert (note, missed) == ("Means over the seeds; `n` < 4.", 'not run: `make table2 ARGS="seed=1"`\n')


def test_html() -> None:
    root = ElementTree.fromstring(f"<div>{html(TABLE)}</div>")
    rows = [list(row) for row in root.iterfind("table/tbody/tr")]
    assert [["".join(cell.itertext()) for cell in row] for row in rows] == SHOWN
    assert [cell.get("data-sort") for cell in rows[0]] == ["one_two", "3", "33.3333333333", "-2.04"]
    assert [cell.get("data-sort") for cell in rows[1]] == ["x|y [z] <b>*", "", "", ""]
    assert rows[1][3].get("class") == "right missing"
    assert rows[1][3].get("title") == 'make table2 ARGS="seed=1"'
    assert rows[0][0].tag == "th"
    assert rows[0][0].get("class") is None
    (caption,) = root.findall("table/caption")
    assert "".join(caption.itertext()) == "What a|b & <c> cost, 5 %"
    assert len(root.findall("p[@class='note']")) == 2
    assert "<title>a &amp; b</title>" in page("a & b", [html(TABLE)])


def test_latex() -> None:
    lines = latex(TABLE).splitlines()
    assert lines[2] == r"\caption{What \texttt{a|b} \& $<$c$>$ cost, 5 \%}"
    assert lines[3] == r"\begin{tabular}{lrrr}"
    assert lines[5] == r"scheme & seeds & balanced\_accuracy, \% & gain \\"
    assert lines[7] == r"\texttt{one\_two} & 3 & 33.3 $\pm$ 0.2 & $-$2.0 \% [$-$4.0, +0.1] \\"
    assert lines[8] == r"x|y [z] $<$b$>$* & - & - & not run \\"
    assert lines.index(r"\bottomrule") == lines.index(r"\toprule") + 6
    assert sum(line.count("{") - line.count("}") for line in lines) == 0


def test_a_minus_is_not_a_hyphen_nor_the_other_way_round() -> None:
    table = Table.of("", [Column("")], [[words("-39 to -20, 2024-11-27, fer2013-a, x-1")]])
    assert r"$-$39 to $-$20, 2024-11-27, fer2013-a, x-1 \\" in latex(table)
    assert r"{[1]} \\" in latex(Table.of("", [Column("")], [[words("[1]")]]))


def test_csv_has_plain_numbers() -> None:
    heads, *rows = csv.reader(io.StringIO(as_csv(TABLE)))
    accuracy = ["balanced_accuracy, %", "balanced_accuracy, %, sd"]
    assert heads == ["scheme", "seeds", *accuracy, "gain, %", "gain, %, low", "gain, %, high"]
    assert rows[0] == ["one_two", "3", repr(100 / 3), "0.25", "-2.04", "-4", "0.125"]
    assert rows[1] == ["x|y [z] <b>*", "", "", "", "", "", ""]


def test_several_commands_are_numbered() -> None:
    table = Table.of("", [Column("a"), Column("b")], [[missing("one"), missing("two")], [missing("two"), number(1)]])
    assert table.texts == [["not run (1)", "not run (2)"], ["not run (2)", "1.0"]]
    assert table.notes == ["not run (1): `one`", "not run (2): `two`"]


def test_a_row_has_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="gains: a row of 1 cells under 2 headings"):
        Table.of("gains", [Column("a"), Column("b")], [[number(1)]])
