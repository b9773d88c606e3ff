"""How many settings were tried per scheme: whoever tries more finds more, by chance alone."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_perturb.report.page.fields import Field

JOURNAL = Path("search", "journal.log")
CREATE_STUDY, CREATE_TRIAL = 0, 4  # of Optuna's journals


@dataclass(frozen=True)
class Effort:
    """settings: trained here, seeds aside. trials: of `python -m fer_perturb.search`, some of which ended early."""

    dataset: str
    scheme: str
    settings: int
    seeds: int
    runs: int
    trials: int

    @property
    def tried(self) -> int:
        return self.settings + self.trials


def efforts(fields: Sequence[Field], roots: Sequence[Path]) -> list[Effort]:
    """A row for each scheme on each dataset."""
    trials: Counter[tuple[str, str]] = Counter()
    for root in roots:
        trials += searched(root / JOURNAL)
    settings = {(field.dataset, of.scheme) for field in fields for of in field.settings} | set(trials)
    rows = []
    for dataset, scheme in sorted(settings, key=lambda key: (key[0], key[1] != "baseline", key[1])):
        of = [one for field in fields if field.dataset == dataset for one in field.settings if one.scheme == scheme]
        seeds = {seed for one in of for seed in one.seeds}
        runs = sum(len(one.runs) for one in of)
        rows.append(Effort(dataset, scheme, len(of), len(seeds), runs, trials[dataset, scheme]))
    return rows


def searched(journal: Path) -> Counter[tuple[str, str]]:
    """(dataset, scheme) -> trials, of the searches in a journal; lines that are none are passed over."""
    found: Counter[tuple[str, str]] = Counter()
    studies: list[tuple[str, str] | None] = []
    if not journal.is_file():
        return found
    for line in journal.read_text(errors="replace").splitlines():
        try:
            entry = json.loads(line)
            if entry["op_code"] == CREATE_STUDY:
                studies.append(_of_study(entry["study_name"]))
            elif entry["op_code"] == CREATE_TRIAL and (of := studies[entry["study_id"]]):
                found[of] += 1
        except (ValueError, KeyError, TypeError, IndexError):
            continue
    return found


def _of_study(name: str) -> tuple[str, str] | None:
    """<search>-<dataset>-<model>-<scheme>-<hash> (searching/study.py); None where a part has a hyphen of its own."""
    parts = name.split("-")
    return (parts[1], parts[3]) if len(parts) == 5 else None
