"""Every scheme less the baseline, and Perturb less its controls, from what the runs predicted."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

from fer_perturb.analysis.comparison import Comparison, adjusted, compare_runs, read_arm
from fer_perturb.analysis.comparison.arm import Reading
from fer_perturb.analysis.statistics import Estimate
from fer_perturb.errors import UserError, first_line
from fer_perturb.report.page.fields import BASELINE, PERTURB, Field, Setting

BELIEVABLE = (UserError, OSError, ValueError, KeyError, TypeError)  # of a file that is not as expected
MOST = 2  # settings of Perturb, those of most seeds, that are compared with controls
Pair = tuple[Setting, Reading, Setting, Reading]


@dataclass(frozen=True, eq=False)
class Contrast:
    """One setting less another, both of one field. p: two-sided, with Holm over all contrasts of the report."""

    field: Field
    first: Setting
    second: Setting
    found: Comparison
    p: float

    @property
    def against_baseline(self) -> bool:
        return self.second.scheme == BASELINE

    @property
    def balanced(self) -> Estimate:
        """The difference in balanced accuracy, as a share, over seeds and images."""
        return self.found.balanced_accuracy

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval; NaN where one seed is all there is."""
        return self.balanced.interval()

    @property
    def deciding(self) -> bool:
        """Whether the first reads its images as its scheme asks for."""
        return self.found.contrast.readings[0] == self.first.inference


def contrasts(fields: Sequence[Field]) -> tuple[list[Contrast], list[str]]:
    """All that can be made, and a sentence on each that cannot.

    Of a setting that shares a budget with some others, those that spent otherwise are left out.
    """
    pairs: list[tuple[Field, Setting, Setting, Comparison]] = []
    told = []
    for field in fields:
        for first, reading, second, other in _pairs(field):
            try:
                pairs.append((field, first, second, _compared(first, reading, second, other)))
            except UserError as error:
                told.append(f"{field.name}: {first.name} less {second.name} cannot be said. {error}")
            except (OSError, ValueError, KeyError, TypeError) as error:  # a file that is no prediction's
                told.append(f"{field.name}: {first.name} less {second.name} cannot be said: {first_line(error)}")
    fair = [of for of in pairs if of[3].contrast.equal]
    has_fair = {(first, second.scheme == BASELINE) for _, first, second, _ in fair}
    kept = [of for of in pairs if of[3].contrast.equal or (of[1], of[2].scheme == BASELINE) not in has_fair]
    p = adjusted([of[3] for of in kept])
    return [Contrast(*of, own) for of, own in zip(kept, p, strict=True)], [*dict.fromkeys(told)]


def _pairs(field: Field) -> Iterator[Pair]:
    """Which settings are compared, each in its reading: pairs that share seeds and data."""
    baselines = field.of(BASELINE)
    for first in field.settings:
        if first.scheme == BASELINE:
            continue
        for second in baselines:
            if _share(first, second):
                yield first, cast(Reading, first.inference), second, "original"
                if first.inference == "views":
                    yield first, "original", second, "original"
    for first in sorted(field.of("perturb"), key=lambda setting: -len(setting.runs))[:MOST]:
        for second in field.settings:
            if second.scheme not in (BASELINE, *PERTURB) and _share(first, second):
                yield first, cast(Reading, first.inference), second, cast(Reading, second.inference)


def _share(first: Setting, second: Setting) -> bool:
    return first.dataset == second.dataset and bool(first.seeds & second.seeds)


def _compared(first: Setting, reading: Reading, second: Setting, other: Reading) -> Comparison:
    """From the runs whose predictions are whole: the others' pages say what is wrong with them."""
    runs = [[run.directory for run in setting.runs] for setting in (first, second)]
    try:
        return compare_runs(runs[0], runs[1], (reading, other))
    except BELIEVABLE:
        ways = zip((first, second), runs, (reading, other), strict=True)
        whole = [_whole(setting, of, way) for setting, of, way in ways]
        if whole == runs:
            raise
        return compare_runs(whole[0], whole[1], (reading, other))


def _whole(setting: Setting, runs: Sequence[Path], reading: Reading) -> list[Path]:
    """Those that can be read. Raises UserError where none can."""
    found = []
    for run in runs:
        with suppress(*BELIEVABLE):
            read_arm([run], reading)
            found.append(run)
    if not found:
        raise UserError(f"No run of {setting.name} has whole predictions of {setting.dataset}.")
    return found
