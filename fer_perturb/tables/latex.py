r"""A table as LaTeX, in the lines of booktabs (\usepackage{booktabs})."""

import re

from fer_perturb.tables.marks import replaced
from fer_perturb.tables.table import Table

ESCAPED = {
    "\\": r"\textbackslash{}",
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "±": r"$\pm$",
    "…": r"\ldots{}",
}
MINUS = re.compile(r"(?<![\w.)])-(?=\d)")
SIGN = re.compile("|".join(map(re.escape, ESCAPED)))


def latex(table: Table) -> str:
    """A table environment with caption, tabular and notes. A minus before a number is set as one."""
    lines = [r"\begin{table}", r"\centering", *([rf"\caption{{{escaped(table.title)}}}"] if table.title else [])]
    lines += [rf"\begin{{tabular}}{{{''.join(column.align[0] for column in table.columns)}}}", r"\toprule"]
    lines += [_row([column.title for column in table.columns]), r"\midrule", *map(_row, table.texts)]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip{{\footnotesize {escaped(note)}\par}}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def escaped(text: str) -> str:
    """Words as LaTeX, with their code in \\texttt."""
    return replaced(text, _plain, lambda code: rf"\texttt{{{_signs(code)}}}")


def _row(texts: list[str]) -> str:
    # braces, as a [ after a row's end would be taken for its argument
    return " & ".join(f"{{{escaped(text)}}}" if text.startswith("[") else escaped(text) for text in texts) + r" \\"


def _plain(text: str) -> str:
    return "$-$".join(_signs(piece) for piece in MINUS.split(text))


def _signs(text: str) -> str:
    return SIGN.sub(lambda found: ESCAPED[found[0]], text)
