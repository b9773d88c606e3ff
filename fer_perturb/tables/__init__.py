"""A table: data first (`Table`), then rendered, by one file a format."""

from fer_perturb.tables.table import Cell, Column, Table, missing, number, words

__all__ = ["Cell", "Column", "Table", "missing", "number", "words"]
