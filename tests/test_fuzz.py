"""The fuzzer finds nothing in a short run, and finds faults that are planted."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import torch
from forking import Forked, forked
from fuzz.cases import CASES
from fuzz.forked import Ended, Forks
from fuzz.judge import FOLDER, Unharmed, other_numbers, verdict
from fuzz.kills import killed
from fuzz.mutations import OF_FILES, OF_FOLDERS, damage
from fuzz.world import World


@dataclass(frozen=True)
class Planted:
    """Before the fuzzer: a fault in the product."""

    fault: str

    def __call__(self) -> None:
        torch.set_num_threads(1)  # the fuzzer forks
        exec(self.fault, {})


def fuzz(folder: Path, *words: str, fault: str = "") -> Forked:
    """`make fuzz` in a process of its own, with a fault planted in the product."""
    return forked("fuzz.run", *words, f"--log={folder / 'log.jsonl'}", folder=folder, before=Planted(fault))


def outcomes(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    cases = "csv,faces,drawn,run,evaluate"
    ran = fuzz(tmp_path, "--seed=0", "--mutations=30", "--kills=1", "--sweep-kills=0", f"--cases={cases}")
    assert ran.status == 0, ran.out + ran.err
    assert "1 kills of a chain: finished, with the same predictions" in ran.out
    ended = outcomes(tmp_path)
    assert [one["seed"] for one in ended] == list(range(30))
    assert {one["status"] for one in ended} == {0, 2}
    assert not any(one["wrong"] for one in ended)


FAULTS = {  # in the reading of a csv, and of packed data; and what is told of each
    "A traceback.": "import fer_perturb.data.readers.fer2013.tables as csv; "
    "csv._pixels = lambda text, _: bytes(csv.GREY[t] for t in text.split())",
    "is not what it is without damage": "import fer_perturb.data.packed.load as load; "
    "load.require_hash = lambda root, name, expected: None",
}


@pytest.mark.slow
def test_planted_faults_are_found_and_found_again(tmp_path: Path) -> None:
    fault = "\n".join(FAULTS.values())
    ran = fuzz(tmp_path, "--seed=0", "--mutations=40", "--cases=csv,drawn", fault=fault)
    assert ran.status == 1, ran.out + ran.err
    of_fault = {told: [one for one in outcomes(tmp_path) if told in str(one["wrong"])] for told in FAULTS}
    assert all(of_fault.values())
    found = [one for ones in of_fault.values() for one in ones][-1]
    assert f"make fuzz SEED={found['seed']} MUTATIONS=1" in ran.out
    (tmp_path / "log.jsonl").unlink()
    again = fuzz(tmp_path, f"--seed={found['seed']}", "--mutations=1", "--cases=csv,drawn", fault=fault)
    assert again.status == 1
    (same,) = outcomes(tmp_path)
    assert all(same[key] == found[key] for key in ("seed", "case", "damaged", "kind", "status", "wrong"))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", [*OF_FILES, *(f"folder {kind}" for kind in OF_FOLDERS)])
def test_damage_changes_something_and_always_the_same(kind: str, seed: int, tmp_path: Path) -> None:
    whole = b"".join(b"%d," % number for number in range(200))
    left = []
    for name in ("one", "two"):
        path = tmp_path / name / "target"
        path.parent.mkdir()
        if kind.startswith("folder "):
            path.mkdir()
            (path / "inside").write_bytes(whole)
            OF_FOLDERS[kind.removeprefix("folder ")](path, Random(seed))
        else:
            path.write_bytes(whole)
            OF_FILES[kind](path, Random(seed))
        state = "link" if path.is_symlink() else path.stat().st_mode if path.exists() else "nothing"
        content = sorted(inside.name for inside in path.iterdir()) if path.is_dir() and os.access(path, os.R_OK) else ""
        left.append((state, path.read_bytes() if path.is_file() and os.access(path, os.R_OK) else content))
    assert left[0][0] == left[1][0]
    assert kind == "other_type" or left[0] == left[1]  # where a pickle would write is told by its path
    ordinary = 0o755 if kind.startswith("folder ") else 0o644
    unchanged = (0o040000 if kind.startswith("folder ") else 0o100000) | ordinary
    assert left[0] != (unchanged, ["inside"] if kind.startswith("folder ") else whole)


def test_every_kind_is_drawn(tmp_path: Path) -> None:
    drawn = set()
    for seed in range(300):
        path = tmp_path / str(seed)
        path.write_bytes(b"0123456789")
        drawn.add(damage(path, Random(seed)))
    assert drawn == set(OF_FILES)


def test_a_training_that_hangs_after_the_last_kill_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = (0, 0, None, None, None)  # twice whole, killed twice, hanging
    ends = iter([Ended(status, "", "", 1) for status in statuses])
    forks = Forks(tmp_path)
    monkeypatch.setattr(forks, "command", lambda *_, **__: next(ends))
    world = World(tmp_path, forks)
    monkeypatch.setattr(world, "set_up", lambda names: None)
    assert killed(world, (), seed=0, kills=2).startswith("After 2 kills it did not end")
    assert next(ends, None) is None


RIGHT = {"data/new/train/labels.npy": "a"}
BEFORE = {"sources/fer2013.zip": "b", "data": FOLDER}
(CASE,) = (case for case in CASES if case.name == "packed")


@pytest.mark.parametrize(
    ("ended", "after", "told"),
    [
        (Ended(0, "", "", 1), {**BEFORE, **RIGHT}, ""),
        (Ended(0, "", "", 1), {**BEFORE, "data/new/train/labels.npy": "c"}, "not what it is without damage"),
        (Ended(0, "", "", 1), {**RIGHT, "data": FOLDER}, "fer2013.zip was removed"),
        (Ended(0, "50.0 %", "", 1), {**BEFORE, **RIGHT}, "It shows ['50.0 %']"),
        (Ended(0, "", "", 1), {**BEFORE, **RIGHT, "data/executed": "d"}, "executed"),
        (Ended(2, "", "Error: this sentence tells what is wrong.", 1), BEFORE, ""),
        (
            Ended(2, "", "Error: this sentence tells what is wrong.", 1),
            {**BEFORE, "sources/fer2013.zip": "e"},
            "changed",
        ),
        (Ended(2, "", "", 1), BEFORE, "Not one sentence"),
        (Ended(2, "", "Error: none", 1), BEFORE, "Not one sentence"),
        (Ended(2, "", "Traceback (most recent call last):", 1), BEFORE, "traceback"),
        (Ended(1, "", "Error: this sentence tells what is wrong.", 1), BEFORE, "Exit status 1"),
        (Ended(None, "", "", 120), BEFORE, "did not end within 120 s"),
    ],
)
def test_the_verdict(ended: Ended, after: dict[str, str], told: str, tmp_path: Path) -> None:
    wrong = verdict(CASE, tmp_path, ended, BEFORE, after, Unharmed(RIGHT, {}, []), ("data/new",))
    assert told in wrong
    assert bool(told) == bool(wrong)


def test_what_was_trained_again_may_have_taken_another_time_and_nothing_else() -> None:
    expected = {"test": 0.5, "phases": {"predictor": {"cached": True, "seconds": 3.0, "flops": 7}}}
    again = {"cached": False, "seconds": 4.0, "flops": 7}
    assert not other_numbers({**expected, "phases": {"predictor": again}}, expected)
    assert "seconds" in other_numbers({**expected, "phases": {"predictor": {**again, "cached": True}}}, expected)
    assert "flops" in other_numbers({**expected, "phases": {"predictor": {**again, "flops": 8}}}, expected)
    assert "test" in other_numbers({**expected, "test": 0.6}, expected)
