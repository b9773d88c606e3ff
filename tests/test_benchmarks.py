"""`make bench` at a tiny size: every row is there; and the figures are what they are said to be."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from benchmarks import beside, coverage, fits, growth, memory, run, scheme, speedrun, start, utilisation
from benchmarks.bench import Bench
from benchmarks.measure import Row, Target, against_peers, take_turns
from benchmarks.report import Report

from fer_perturb.runs.run_directory import commit


@pytest.mark.slow
def test_every_row_is_measured_and_written(tmp_path, monkeypatch):
    """Processes of their own, which take seconds to start, are tested below."""
    overrides = Bench.overrides
    monkeypatch.setattr(Bench, "overrides", lambda bench: [*overrides(bench), "logger=csv"])
    monkeypatch.setattr(fits, "WARM_UP", 1)
    monkeypatch.setattr(utilisation, "ON_A_CPU", ("resnet_tiny",))
    monkeypatch.setattr(scheme, "SHARED", ("model=resnet_tiny", "recipe=cpu"))
    monkeypatch.setattr(growth, "TIMES", (1, 2))
    monkeypatch.setattr(growth, "CLUSTERS", (2, 3))
    monkeypatch.setattr(
        memory, "peak", lambda bench, name, *_: {"chain": 3_000_000, "imports": 1_000_000, "report": 1}[name]
    )
    monkeypatch.setattr(start, "seconds", lambda bench, *_, **__: 1.5)
    monkeypatch.setattr(beside, "trained", lambda *_, **__: 1000.0)

    run.main(["--scale", "0.001", "--out", str(tmp_path)])

    families = json.loads((tmp_path / "benchmarks.json").read_text())["rows"]
    assert {family: len(rows) for family, rows in families.items()} == {
        "overhead": 2, "pipeline": 4, "clustering": 13, "scheme": 5, "memory": 1, "occluders": 14, "start": 2,
        "collecting": 1, "reporting": 3, "beside": 4, "utilisation": 1, "growth": 6,
    }  # fmt: skip
    page = (tmp_path / "benchmarks.md").read_text()
    for row in (row for rows in families.values() for row in rows):
        figures = [*row["ours"], *row["theirs"]]
        assert all(math.isfinite(figure) for figure in figures), row
        assert row["theirs"] or not row["peer"] or row["note"].startswith(("not installed", "does not run")), row
        assert f"| {row['what']} |" in page
    (peak,) = families["memory"]
    assert peak["ours"] == [2.0]  # MB above the imports
    assert (tmp_path / "benchmarks_growth.png").stat().st_size > 10_000


def test_turns_alternate_after_a_warm_up_and_a_peer_that_cannot_run_is_named():
    calls = []

    def contestant(name, figure):
        def turn():
            calls.append(name)
            return figure

        return turn

    def missing():
        import no_such_package  # noqa: F401

    def broken():
        raise TypeError("two dimensions expected")

    peers = {"ours": contestant("ours", 2.0), "faiss": contestant("faiss", 8.0), "missing": missing, "broken": broken}
    turns = take_turns(peers, rounds=2)
    assert calls == ["ours", "faiss"] * 3
    rows = against_peers(turns, "clustering", "maps/s", {"faiss": Target("ratio", "at least", 0.3)})
    assert [(row.peer, row.ratio, row.reached) for row in rows] == [
        ("faiss", 0.25, False), ("missing", None, None), ("broken", None, None),
    ]  # fmt: skip
    assert [row.note for row in rows] == ["", "not installed", "does not run: two dimensions expected"]
    with pytest.raises(TypeError, match="two dimensions"):
        take_turns({"ours": broken}, rounds=1)


def test_a_row_compares_medians_with_its_target():
    row = Row("an epoch", "s", [1.0, 9.0, 2.1], "baseline", [2.0, 1.0, 2.0], Target("ratio", "at most", 1.05))
    assert row.ratio == pytest.approx(1.05)
    assert row.reached
    assert not Row("start", "s", [14.0, 16.0, 15.5], target=Target("ours", "at most", 15)).reached
    assert Row("pipeline", "images/s", [12_000.0], target=Target("ours", "at least", 12_000)).reached
    assert Row("start", "s", [14.0]).reached is None


@pytest.mark.parametrize(("power", "reached"), [(1, True), (0.5, True), (1.2, False)])
def test_growth_is_the_exponent(power, reached):
    row = growth.grown("images", "work", lambda size: 3 * size**power, (1, 2, 4, 8), rounds=1)
    assert row.ours[0] == pytest.approx(power)
    assert row.reached is reached


def test_a_part_of_the_rows_replaces_its_own_in_the_page_and_leaves_the_rest(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text("# By hand\n\n<!-- bench:begin -->\nold\n<!-- bench:end -->\n\n## Also by hand\n")
    device = torch.device("cpu")
    Report(tmp_path, device, "make bench").add("start", [Row("start", "s", [1.0])])
    Report(tmp_path, device, "make bench").add("memory", [Row("memory", "MB", [2.0, 4.0, 2.5])])
    Report(tmp_path, device, "make bench").add("start", [Row("start", "s", [5.0])])
    shown = page.read_text()
    assert shown.startswith("# By hand\n\n<!-- bench:begin -->\n")
    assert shown.endswith("<!-- bench:end -->\n\n## Also by hand\n")
    assert "| start | 5 s |" in shown
    assert f"code of commit {(commit() or 'unknown')[:7]}" in shown
    assert "| memory | 2.5 MB |" in shown
    assert "old" not in shown
    assert "| start | 1 s |" not in shown

    earlier = json.loads((tmp_path / "benchmarks.json").read_text())
    earlier["versions"]["torch"] = "1.0"
    (tmp_path / "benchmarks.json").write_text(json.dumps(earlier))
    Report(tmp_path, device, "make bench").add("start", [Row("start", "s", [6.0])])
    assert "memory" not in page.read_text()  # of other versions


def test_a_finished_run_joins_the_speedrun(tmp_path, monkeypatch):
    """The two members of an ensemble, an earlier setting that it comes after, and its place when it is added again."""
    docs, run = tmp_path / "docs", tmp_path / "ensemble"
    docs.mkdir()
    monkeypatch.setattr(speedrun, "DOCS", docs)
    (docs / "recipes.md").write_text(f"# By hand\n{speedrun.BEGIN}\nold\n{speedrun.END}\n## Also by hand\n")
    entries = [{"name": name, "what": name, "points": [[0.1, 60.0], [0.2, 65.0]], "minutes": None, "threads": 1,
                "private_test": None} for name in ("early", "late")]  # fmt: skip
    (docs / "speedrun.json").write_text(json.dumps(entries))
    members = [tmp_path / name for name in ("light", "small")]
    monkeypatch.setattr(speedrun, "members_of", lambda of: members if of == run else [])
    for directory in (run, *members):
        directory.mkdir()
        phases = {"predictor": {"flops": 3e14, "seconds": 600.0}}
        scores = {"val": {"accuracy": 0.7}, "test": {"accuracy": 0.71}}
        summary = {"model": directory.name, "seed": 0, "phases": phases, **scores}
        (directory / "summary.json").write_text(json.dumps(summary))
        (directory / "config.yaml").write_text("recipe: {name: overnight}\n")

    speedrun.main([str(run), "both", "1"])
    speedrun.main([str(members[0]), "early"])

    early, late, both = json.loads((docs / "speedrun.json").read_text())
    assert (early["name"], early["what"], late) == ("early", "early", entries[1])
    assert early["points"] == [[pytest.approx(0.3), pytest.approx(70)]]
    assert both["points"] == [[pytest.approx(0.6), pytest.approx(70)]]
    page = (docs / "recipes.md").read_text()
    assert "| early | early | 0.300 | 10 | 70.0 | **71.0** |" in page
    assert "| late | late | 0.200 |  | 65.0 |  |" in page
    assert "| both | `model=ensemble recipe=overnight seed=0`, the chain | 0.600 | 20 (one core) | 70.0 |" in page
    assert page.startswith("# By hand\n")
    assert page.endswith("## Also by hand\n")
    assert "old" not in page
    assert (docs / "speedrun.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_peak_of_a_process_is_its_own(tmp_path):
    """Also where this process is larger; and importing what it had imported takes as much again."""
    bench = Bench(torch.device("cpu"), 1.0, tmp_path)
    (tmp_path / "small.py").write_text("")
    (tmp_path / "large.py").write_text("import taking\n")
    (tmp_path / "taking.py").write_text("taken = b'x' * 150_000_000\n")
    here = b"x" * 300_000_000
    small, large = memory.peak(bench, "small", "small"), memory.peak(bench, "large", "large")
    imported = memory.peak(bench, "imports", str(tmp_path / "large.json"))
    assert len(here) > small
    assert 145_000_000 < large - small < 160_000_000
    assert abs(imported - large) < 10_000_000


STAND_IN = """
import os, sys
sys.modules.setdefault("torch", sys)  # as if it were imported
import fer_perturb
print(os.environ.get("GOMP_SPINCOUNT", 0))
"""


@pytest.mark.slow
def test_training_beside_a_busy_process(monkeypatch):
    """The processes are real, and only ours has the setting."""
    monkeypatch.setattr(beside, "TRAINED", STAND_IN)
    monkeypatch.setenv(beside.SPINS, "7")  # the user's own, which is not what is measured
    assert [beside.trained("any", 0.1, ours=ours, busy=True) for ours in (True, False)] == [1000, 0]


def test_the_users_own_setting_of_openmp_stays(monkeypatch):
    monkeypatch.setenv(beside.SPINS, "7")
    ask = [sys.executable, "-c", "import os, fer_perturb; print(os.environ['GOMP_SPINCOUNT'])"]
    assert subprocess.run(ask, check=True, capture_output=True, text=True).stdout == "7\n"


def test_a_process_is_timed_to_its_end(tmp_path):
    bench = Bench(torch.device("cpu"), 1.0, tmp_path)
    assert start.seconds(bench, "-c", "import time; time.sleep(0.5)") >= 0.5
    with pytest.raises(RuntimeError, match="ended with 3"):
        start.seconds(bench, "-c", "exit(3)")
    start.seconds(bench, "-c", "exit(3)", expected=3)


def test_coverage_is_counted_against_the_truth():
    found = [right.mean() for right in coverage.simulated(3, 0.5, 0.05, 40)]
    assert np.mean(found) == pytest.approx(coverage.truth(0.5, 0.05), abs=0.004)
