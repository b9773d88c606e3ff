"""A table in the terminal, by rich."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Drawn

from fer_perturb.tables.marks import unmarked
from fer_perturb.tables.table import Table

WIDTH = 160  # characters, where there is no terminal


def print_table(table: Table, *, lines: bool = False) -> None:
    """Prints a table and its notes. lines: between its rows."""
    console = Console(width=None if Console().is_terminal else WIDTH)
    drawn = Drawn(title=escape(unmarked(table.title)), show_lines=lines)
    for place, column in enumerate(table.columns):
        style = "" if place else "bold"
        drawn.add_column(escape(unmarked(column.title)), justify=column.align, style=style, overflow="fold")
    for row in table.texts:
        drawn.add_row(*(escape(unmarked(text)) for text in row))
    console.print(drawn)
    for note in table.notes:
        console.print(unmarked(note), soft_wrap=True, highlight=False, markup=False)
