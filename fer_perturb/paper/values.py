"""The paper's numbers and what its figures are said to show, from paper.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

FILE = Path(__file__).with_name("paper.yaml")
Version = Literal["printed", "draft"]
Values = Mapping[str, Mapping[str, float | None]]  # row -> column -> value


@dataclass(frozen=True)
class Reported:
    """A table or figure of the paper. source: its name and section. says: what it shows, in the paper's words.

    printed: its numbers in `unit`, None where the paper leaves a cell blank. draft: those that an earlier draft has
    otherwise.
    """

    source: str
    says: str
    unit: str = ""
    printed: Values = field(default_factory=dict)
    draft: Values = field(default_factory=dict)

    def value(self, row: str, column: str, version: Version = "printed") -> float | None:
        """One number; None where there is none."""
        of: Values = getattr(self, version)
        return of.get(row, {}).get(column)

    def column(self, name: str, version: Version = "printed") -> list[float]:
        """The numbers of a column, of the rows that have one."""
        of: Values = getattr(self, version)
        return [value for row in of.values() if (value := row.get(name)) is not None]


def reported(name: str) -> Reported:
    """table1, table2, table3, figure1, figure3, figure4, figure5 or figure6; or settings, those of the scheme."""
    return Reported(**_read()[name])


def networks() -> dict[str, dict[str, str]]:
    """The paper's networks: what stands for each here, `model=` -> its name in a summary; small ones last."""
    found: dict[str, dict[str, str]] = _read()["networks"]
    return found


@cache
def _read() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found
