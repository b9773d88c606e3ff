"""PYTHONPATH=tests python -m fuzz.run: damages what commands read, and sees how they end."""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline", "COLUMNS": "150"}  # before torch is imported

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fuzz.cases import CASES, Case
from fuzz.forked import Forks
from fuzz.judge import Eyes, Seen, Unharmed, unharmed, verdict
from fuzz.kills import CHAIN, SWEEP, WORKERS, killed
from fuzz.mutations import damage
from fuzz.world import World


@dataclass(frozen=True)
class Outcome:
    """One mutation and how its command ended; `wrong` is empty where that is well."""

    seed: int
    case: str
    damaged: str
    kind: str
    status: int | None
    seconds: float
    wrong: str
    told: str


class Fuzzer:
    """Mutations by their seeds."""

    def __init__(self, base: Path, cases: Sequence[Case] = CASES) -> None:
        self.forks = Forks(base / "forks")
        self.world = World(base, self.forks)
        self.eyes = Eyes()
        self.cases = cases
        self.expected: dict[str, Unharmed] = {}

    def mutate(self, seed: int) -> Outcome:
        """Draws a case, a file or folder and a damage; all three are functions of the seed alone."""
        random = Random(seed)
        case = random.choices(self.cases, [case.weight for case in self.cases])[0]
        expected = self._unharmed(case)
        self.world.set_up(case.parts)
        root = self.world.root
        there = sorted({path for pattern in self._named(case.damaged) for path in root.glob(pattern)})
        target = random.choice([path for path in there if path.suffix != ".lock"])
        twins = self._twins(target, random)
        self.world.own(target)
        kind = damage(target, random)
        for twin in twins:  # one file under two names, as in a run and its phase
            if target.is_file() and not target.is_symlink():
                twin.unlink()
                os.link(target, twin)
        nobody = kind == "forbid"
        if nobody:
            self.world.give_away()
        before = self.eyes.look(root)
        ended = self.forks.command(case.module, self._named(case.words), nobody=nobody)
        after = self.eyes.look(root)
        wrong = verdict(case, root, ended, before, after, expected, self._named(case.writes))
        told = "\n".join(line for line in (ended.out + ended.err).splitlines() if line.strip())
        inside = target.relative_to(root).as_posix()
        return Outcome(seed, case.name, inside, kind, ended.status, ended.seconds, wrong, told)

    def _twins(self, target: Path, random: Random) -> list[Path]:
        """The other names of a file in the sandbox, in half of the cases."""
        if not target.is_file() or target.stat().st_nlink <= 2 or random.random() < 0.5:
            return []
        return [
            path
            for path in self.world.root.rglob(target.name)
            if path != target and path.is_file() and path.samefile(target)
        ]

    def _named(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(self.world.named, texts))

    def _unharmed(self, case: Case) -> Unharmed:
        if case.name not in self.expected:
            words = self._named(case.words)
            self.world.set_up(case.parts)
            ended = self.forks.command(case.module, words)
            if ended.status != 0:
                raise RuntimeError(f"{case.name} fails without damage:\n{ended.out}\n{ended.err}")
            seen: Seen = self.eyes.look(self.world.root)
            self.expected[case.name] = unharmed(case, self.world.root, ended, self._named(case.results), seen)
        return self.expected[case.name]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs mutations, then kills; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the first mutation; the next ones count on from it")
    parser.add_argument("--seconds", type=float, help="how long mutations run (60, unless --mutations is given)")
    parser.add_argument("--mutations", type=int, help="how many there are")
    parser.add_argument("--kills", type=int, help="of chains (2, unless --mutations is given)")
    parser.add_argument("--sweep-kills", type=int, help="of sweeps (as many, unless it is given)")
    parser.add_argument("--worker-kills", type=int, default=0, help="of sweeps whose jobs have processes of their own")
    parser.add_argument("--cases", help="only these, by their names, with commas between them; seeds mean others then")
    parser.add_argument("--state", type=Path, help="keeps what is damaged there, for the next time")
    parser.add_argument("--log", type=Path, help="writes what each mutation did there, a line of JSON each")
    chosen = parser.parse_args(arguments)
    cases = [case for case in CASES if not chosen.cases or case.name in chosen.cases.split(",")]
    seconds = chosen.seconds or (60.0 if chosen.mutations is None else None)
    kills = chosen.kills if chosen.kills is not None else (2 if chosen.mutations is None else 0)

    base = chosen.state or Path(tempfile.mkdtemp(prefix="fer_perturb_fuzz_"))
    base.mkdir(parents=True, exist_ok=True)
    base.chmod(0o755)  # commands run as others, too
    try:
        fuzzer = Fuzzer(base.resolve(), cases)
        outcomes = _mutations(fuzzer, chosen.seed, chosen.mutations, seconds, chosen.log)
        wrong = any(outcome.wrong for outcome in outcomes)
        print_counts(outcomes)
        for what, words, count in (
            ("a chain", CHAIN, kills),
            ("a sweep of two jobs", SWEEP, kills if chosen.sweep_kills is None else chosen.sweep_kills),
            ("a sweep of two jobs at once", WORKERS, chosen.worker_kills),
        ):
            if count:
                told = killed(fuzzer.world, words, chosen.seed, count)
                print(f"{count} kills of {what}: {told or 'finished, with the same predictions'}", flush=True)
                wrong = wrong or bool(told)
    finally:
        if not chosen.state:
            shutil.rmtree(base, ignore_errors=True)
    return int(wrong)


def _mutations(fuzzer: Fuzzer, first: int, count: int | None, seconds: float | None, log: Path | None) -> list[Outcome]:
    outcomes: list[Outcome] = []
    started = time.monotonic()
    columns = (TextColumn("Mutations"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    wrong = TextColumn("{task.fields[wrong]}")
    with Progress(*columns, wrong, auto_refresh=False) as progress:  # a thread must not be there when processes fork
        bar = progress.add_task("", total=count, wrong="")
        while (count is None or len(outcomes) < count) and (seconds is None or time.monotonic() < started + seconds):
            outcome = fuzzer.mutate(first + len(outcomes))
            outcomes.append(outcome)
            if log:
                with log.open("a") as file:
                    file.write(json.dumps(asdict(outcome)) + "\n")
            if outcome.wrong:
                progress.console.print(_failure(outcome), markup=False, highlight=False, soft_wrap=True)
            failed = sum(bool(one.wrong) for one in outcomes)
            progress.update(bar, completed=len(outcomes), wrong=f"{failed} wrong" if failed else "", refresh=True)
    return outcomes


def _failure(outcome: Outcome) -> str:
    last = "\n".join(f"    {line}" for line in outcome.told.splitlines()[-6:])
    return (
        f"Seed {outcome.seed}: {outcome.kind} of {outcome.damaged}, read by {outcome.case}: {outcome.wrong}\n{last}\n"
        f"  Again: make fuzz SEED={outcome.seed} MUTATIONS=1"
    )


def print_counts(outcomes: Sequence[Outcome]) -> None:
    """A row for each kind of damage, and for each command: how it ended, how often."""
    table = Table(title=f"{len(outcomes)} mutations")
    for heading in ("", "right result", "one sentence", "wrong"):
        table.add_column(heading, justify="left" if not heading else "right")
    for key in ("kind", "case"):
        counts: dict[str, Counter[str]] = {}
        for outcome in outcomes:
            end = "wrong" if outcome.wrong else ("right" if outcome.status == 0 else "refused")
            counts.setdefault(getattr(outcome, key), Counter())[end] += 1
        for name, of in sorted(counts.items()):
            table.add_row(name, *(str(of[end]) for end in ("right", "refused", "wrong")))
        table.add_section()
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
