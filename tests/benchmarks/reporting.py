"""The report: how long a person waits for that of a large study, what memory it takes, and how large the file is."""

from predicted_runs import predicted_runs

from benchmarks import memory, start
from benchmarks.bench import COUNTS, Bench
from benchmarks.measure import Row, Target

RUNS = 500
SCHEMES = ("baseline", "perturb", "position_only", "moved_maps", "copies")
MEGABYTE = 10**6


def rows(bench: Bench) -> list[Row]:
    """A process of its own each, from its start to its end, on generated predictions of as many images as FER2013's."""
    outputs, page = bench.directory / "reported", bench.directory / "report.html"
    seeds, images = range(bench.count(RUNS // len(SCHEMES), least=2)), bench.count(COUNTS["test"], least=70)
    runs = [run for name in SCHEMES for run in predicted_runs(outputs, [f"scheme={name}"], seeds, 0.6, images=images)]
    words = [f"runs={outputs}", f"out={page}", f"paths.data={bench.directory}"]
    taken = start.seconds(bench, "-m", "fer_perturb.report", *words)
    held = memory.peak(bench, "report", "fer_perturb.report", *words)
    imports = memory.peak(bench, "imports", str(bench.directory / "report.json"))  # PyTorch's libraries, mapped
    what = f"report of {len(runs):,} runs: python -m fer_perturb.report"
    size = page.stat().st_size / MEGABYTE if page.is_file() else 0.0
    return [
        Row(what, "s", [taken], target=Target("ours", "at most", 60)),
        Row(
            f"{what}, memory above its imports",
            "MB",
            [(held - imports) / MEGABYTE],
            target=Target("ours", "at most", 1000),
            note=f"imports {imports / MEGABYTE:.0f} MB",
        ),
        Row(f"{what}, size of the file", "MB", [size], target=Target("ours", "at most", 15)),
    ]
