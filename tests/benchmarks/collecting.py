"""Collecting: how long a person waits for the table of a large sweep."""

from generated_runs import generated_runs

from benchmarks import start
from benchmarks.bench import Bench
from benchmarks.measure import Row, Target, take_turns

RUNS = 5000
SWEEP = [["scheme=baseline"], *(["scheme=perturb", f"scheme.regions.n_clusters={n}"] for n in range(1, 5))]


def rows(bench: Bench) -> list[Row]:
    """A process of its own, from its start to its end, which writes both files; summaries are generated."""
    outputs = bench.directory / "collected"
    runs = generated_runs(outputs, SWEEP, range(bench.count(RUNS // len(SWEEP))))

    def collect() -> float:
        return start.seconds(bench, "-m", "fer_perturb.collect", f"paths.outputs={outputs}")

    turns = take_turns({"ours": collect}, bench.rounds)
    what = f"collecting {len(runs):,} runs: python -m fer_perturb.collect"
    return [Row(what, "s", turns.figures["ours"], target=Target("ours", "at most", 5))]
