"""A table as Markdown (GitHub's)."""

import re

from fer_perturb.tables.marks import replaced
from fer_perturb.tables.table import Table

RULES = {"left": "---", "right": "---:"}


def markdown(table: Table) -> str:
    """Title, table and notes, a paragraph each; ends with a line break."""
    lines = [_row([_cell(column.title) for column in table.columns])]
    lines += [_row([RULES[column.align] for column in table.columns], space="")]
    lines += [_row([_cell(text) for text in row]) for row in table.texts]
    title = [f"**{_cell(table.title)}**"] if table.title else []
    return "\n\n".join([*title, "\n".join(lines), *table.notes]) + "\n"


def _row(cells: list[str], space: str = " ") -> str:
    return f"|{space}{f'{space}|{space}'.join(cells)}{space}|"


def _cell(text: str) -> str:
    """On one line, and nothing in it taken for markup; in code only the bar that would end the cell."""
    text = " ".join(text.split())
    return replaced(text, lambda piece: re.sub(r"([\\|*<])", r"\\\1", piece), lambda piece: f"`{_bar(piece)}`")


def _bar(code: str) -> str:
    return code.replace("|", r"\|")
