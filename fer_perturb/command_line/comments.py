"""The comments of a yaml file: of the whole, and of each of its keys."""

import re

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built so

Comments = dict[tuple[str, ...], str]
"""Of the keys with these paths."""


def read_comments(text: str) -> tuple[str, Comments]:
    """The first lines of a yaml file, which say what it is, and what stands beside or above each of its keys."""
    lines = text.splitlines()
    start = next((row for row, line in enumerate(lines) if not line.startswith("#")), len(lines))
    title = " ".join(line.lstrip("# ") for line in lines[:start] if not line.startswith("# @package"))
    found: Comments = {}
    _read(yaml.compose(text, Loader=LOADER), lines, start, (), found)
    return title, found


def _read(node: yaml.Node | None, lines: list[str], start: int, under: tuple[str, ...], found: Comments) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        path = (*under, str(key.value))
        inner = value.start_mark.line > key.start_mark.line  # its own lines follow
        end = key.end_mark if inner else value.end_mark
        beside = re.fullmatch(r":?\s*#\s*(.*)", lines[end.line][end.column :]) if end.line < len(lines) else None
        above: list[str] = []
        row, mark = key.start_mark.line - 1, f"{' ' * key.start_mark.column}#"
        while row >= start and lines[row].startswith(mark):
            above.insert(0, lines[row].lstrip("# "))
            row -= 1
        if comment := " ".join([*above, *([beside[1]] if beside else [])]):
            found[path] = comment
        _read(value, lines, start, path, found)
