"""What tables of changes are read with: how often each emotion is answered, and what the intervals are."""

from collections.abc import Mapping, Sequence

import numpy as np

from fer_perturb.analysis.accuracy_change import Change, Recognised
from fer_perturb.tables.table import Column, Table, number, words

INTERVALS = (
    "In brackets 95 % intervals by a bootstrap over the test images{paired}. They do not cover what other seeds would "
    "change."
)


def intervals(columns: Mapping[str, Mapping[str, Change]]) -> str:
    """What the intervals of such changes are, and which are not paired."""
    apart = [title for title, of in columns.items() if not all(found.paired for found in of.values())]
    but = f" (not of those {'; '.join(apart)}: they are other pictures)" if apart else ""
    return INTERVALS.format(paired=f", which are paired{but}")


def answers(title: str, rows: Mapping[str, Recognised], emotions: Sequence[str]) -> Table:
    """How often each emotion is answered: an emotion that is answered more often is also found more often."""
    of = next(iter(rows.values())).labels
    shares = np.bincount(of, minlength=len(emotions)) / len(of)
    answered = {"its share of the images": shares} | {name: row.answered for name, row in rows.items()}
    lines = [[words(name), *(number(100 * share, ".0f") for share in each)] for name, each in answered.items()]
    return Table.of(
        f"How often each emotion is answered, % of all images: {title}",
        [Column("", align="left"), *map(Column, emotions)],
        lines,
    )
