"""Turn by turn: ours and its peers one after another, round by round, in one process; medians and spreads."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Contestant = Callable[[], float]
Axis = Literal["images", "clusters"]


@dataclass
class Turns:
    """What the contestants measured, a figure a round; and why some could not take part."""

    figures: dict[str, list[float]]
    failures: dict[str, str]


def take_turns(contestants: Mapping[str, Contestant], rounds: int, warm_up: bool = True) -> Turns:
    """Calls each contestant once to warm up, then all of them in turn, `rounds` times.

    A contestant other than "ours" that fails to warm up is left out: a peer that is not installed, or does not run
    with the versions here.
    """
    failures: dict[str, str] = {}
    for name, contestant in contestants.items() if warm_up else ():
        try:
            contestant()
        except Exception as error:
            if name == "ours":
                raise
            failures[name] = "not installed" if isinstance(error, ImportError) else f"does not run: {error}"
    figures: dict[str, list[float]] = {name: [] for name in contestants if name not in failures}
    for _ in range(rounds):
        for name, taken in figures.items():
            taken.append(contestants[name]())
    return Turns(figures, failures)


@dataclass(frozen=True)
class Target:
    """What a row is to reach: a bound on ours, or on the ratio ours / peer."""

    of: Literal["ours", "ratio"]
    side: Literal["at least", "at most"]
    bound: float

    def reached(self, value: float) -> bool:
        return value >= self.bound if self.side == "at least" else value <= self.bound


@dataclass(frozen=True)
class Curve:
    """Seconds at growing sizes: `x` is a multiple of FER2013's images, or a number of clusters."""

    axis: Axis
    x: Sequence[float]
    seconds: Sequence[float]


@dataclass(frozen=True)
class Row:
    """One line of the table. `ours` and `theirs` hold a figure a round, in `unit`; `theirs` may be missing."""

    what: str
    unit: str
    ours: Sequence[float]
    peer: str = ""
    theirs: Sequence[float] = ()
    target: Target | None = None
    note: str = ""
    curve: Curve | None = field(default=None, repr=False)

    @property
    def ratio(self) -> float | None:
        """The median of ours over the median of theirs."""
        return statistics.median(self.ours) / statistics.median(self.theirs) if self.theirs else None

    @property
    def ratios(self) -> list[float]:
        """The ratio of each round: how far the machine's other work moved it."""
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True)] if self.theirs else []

    @property
    def reached(self) -> bool | None:
        """None where there is nothing to reach, or no peer to measure against."""
        value = self.ratio if self.target and self.target.of == "ratio" else statistics.median(self.ours)
        return None if self.target is None or value is None else self.target.reached(value)

    def as_dict(self) -> dict[str, Any]:
        """All figures, for json."""
        medians = {"ours_median": statistics.median(self.ours), "reached": self.reached}
        if self.theirs:
            medians["theirs_median"] = statistics.median(self.theirs)
        return {**asdict(self), **medians, "ratio": self.ratio, "ratios": self.ratios}


def against_peers(turns: Turns, what: str, unit: str, targets: Mapping[str, Target] | None = None) -> list[Row]:
    """A row for each peer of "ours"; those that could not take part say why."""
    ours, peers = turns.figures["ours"], [name for name in (*turns.figures, *turns.failures) if name != "ours"]
    aims, why = targets or {}, turns.failures
    return [
        Row(what, unit, ours, peer, turns.figures.get(peer, ()), aims.get(peer), why.get(peer, "")) for peer in peers
    ]
