"""A table as HTML: a plain <table>, whose cells carry in data-sort what they are sorted by."""

from collections.abc import Sequence
from html import escape

from fer_perturb.tables.marks import replaced, unmarked
from fer_perturb.tables.table import Cell, Table

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;margin:1rem 0}caption{text-align:left;font-weight:600;padding:.5rem 0}"
    "th,td{padding:.25rem .6rem;border-bottom:1px solid #8884;text-align:left}.right{text-align:right}"
)


def html(table: Table) -> str:
    """<table> with its title as <caption>, then a <p class="note"> for each note.

    Numbers stand in cells of the class "right"; what is not run yet in cells of the class "missing", whose title is the
    command that makes it. The first cell of a row is its heading.
    """
    heads = "".join(f'<th scope="col"{_class(c.align == "right")}>{marked(c.title)}</th>' for c in table.columns)
    body = []
    for row, texts in zip(table.rows, table.texts, strict=True):
        cells = []
        for place, (cell, column, text) in enumerate(zip(row, table.columns, texts, strict=True)):
            tag, scope = ("td", "") if place else ("th", ' scope="row"')
            kind = _class(column.align == "right", bool(cell.command))
            told = f' title="{escape(cell.command)}"' if cell.command else ""
            cells.append(f'<{tag}{scope}{kind}{told} data-sort="{escape(_sorted_by(cell))}">{marked(text)}</{tag}>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    caption = f"<caption>{marked(table.title)}</caption>\n" if table.title else ""
    rows = "\n".join(body)
    notes = "".join(f'<p class="note">{marked(note)}</p>\n' for note in table.notes)
    return f"<table>\n{caption}<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n{notes}"


def page(title: str, parts: Sequence[str]) -> str:
    """A page of its own around fragments of HTML: nothing is fetched from elsewhere."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    start = f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>'
    return "\n".join([start, "<body>", *parts, "</body></html>\n"])


def marked(text: str) -> str:
    """Words as HTML, with their code in <code>."""
    return replaced(text, escape, lambda code: f"<code>{escape(code)}</code>")


def _sorted_by(cell: Cell) -> str:
    if isinstance(cell.value, str):
        return unmarked(cell.value)
    return "" if cell.value is None else f"{cell.value:.12g}"


def _class(right: bool, is_missing: bool = False) -> str:
    names = [*(["right"] if right else []), *(["missing"] if is_missing else [])]
    return f' class="{" ".join(names)}"' if names else ""
