"""What a difference is a difference of: two schemes, the reading of each, and which of three budgets they share."""

from dataclasses import dataclass
from typing import Literal

from fer_perturb.analysis.comparison.arm import Arm, Reading

Budget = Literal["epochs", "passes", "flops"]
BUDGETS: tuple[Budget, ...] = ("epochs", "passes", "flops")
EQUAL = 0.1  # budgets are equal when they differ by no more: a whole epoch is the least that can be spent
WORDS = {"original": "image alone", "views": "mean over the views"}


@dataclass(frozen=True)
class Contrast:
    """`first` less `second`, each in its reading; spent: of each of BUDGETS, the first's over the second's."""

    first: str
    second: str
    readings: tuple[Reading, Reading]
    spent: tuple[float, float, float]

    @classmethod
    def of(cls, first: Arm, second: Arm) -> "Contrast":
        ratios = [getattr(first.spent, name) / getattr(second.spent, name) for name in BUDGETS]
        return cls(first.name, second.name, (first.reading, second.reading), (ratios[0], ratios[1], ratios[2]))

    @property
    def equal(self) -> tuple[Budget, ...]:
        """The budgets that both spent equally; none may be."""
        return tuple(name for name, ratio in zip(BUDGETS, self.spent, strict=True) if abs(ratio - 1) <= EQUAL)

    def __str__(self) -> str:
        """One sentence's worth: "perturb (mean over the views) less baseline (image alone), equal epochs (...)"."""
        told = (f"{name} ({WORDS[read]})" for name, read in zip((self.first, self.second), self.readings, strict=True))
        others = [
            f"{ratio:.2g} times the {name}"
            for name, ratio in zip(BUDGETS, self.spent, strict=True)
            if name not in self.equal and ratio == ratio
        ]
        budgets = f"equal {' and '.join(self.equal)}" if self.equal else "no equal budget"
        return f"{' less '.join(told)}, {budgets}" + (f" ({', '.join(others)})" if others else "")
