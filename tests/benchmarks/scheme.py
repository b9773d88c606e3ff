"""What the scheme adds to an epoch of training, besides the attention pass."""

from benchmarks.bench import COUNTS, Bench
from benchmarks.fits import FitTimes, attention_source, time_fit
from benchmarks.measure import Row, Target

STEPS = 24  # timed in each turn; a quarter of them where a step holds all n + 1 views
VIEWS = 4  # n + 1
SHARED = ("model=resnet_small", "recipe=cpu", "recipe.batch_size=128", "recipe.initial_size=null", "logger=csv")
SCHEMES = {
    "baseline": ("scheme=baseline",),
    "one map": ("scheme=perturb", "scheme/views=sample", "scheme/regions=dataset"),
    "a map per image": ("scheme=perturb_image", "scheme/views=sample"),
    "all views": ("scheme=perturb", "scheme/views=all"),
}


def rows(bench: Bench) -> list[Row]:
    """Epochs computed from a part of their steps and the whole of a re-clustering."""
    chains = {name: bench.chain(*SHARED, *overrides) for name, overrides in SCHEMES.items()}
    source, looking = attention_source(bench, chains["a map per image"])
    looks = [looking, *(attention_source(bench, chains["a map per image"])[1] for _ in range(bench.rounds - 1))]
    steps = {name: bench.count(STEPS if name != "all views" else STEPS // VIEWS) for name in SCHEMES}
    times: dict[str, list[FitTimes]] = {name: [] for name in SCHEMES}
    for _ in range(bench.rounds):
        for name, chain in chains.items():
            times[name].append(time_fit(bench, chain, steps[name], source if name != "baseline" else None))

    epoch = max(1, bench.count(COUNTS["train"]) // 128)  # steps
    seconds = {name: [epoch * one.step + one.clustering for one in found] for name, found in times.items()}
    plain = seconds["baseline"]

    def note(name: str) -> str:
        one, other = times[name][-1], times["baseline"][-1]
        return (
            f"of it re-clustering {one.clustering:.2f} s; apart from it attention {one.attention:.2f} s, "
            f"validation {one.validation:.1f} s ({other.validation:.1f} s)"
        )

    return [
        Row(f"the scheme: an epoch, {name}, views=sample", "s", seconds[name], "an epoch of the baseline", plain,
            Target("ratio", "at most", bound), note(name))
        for name, bound in (("one map", 1.03), ("a map per image", 1.08))
    ] + [
        Row("the scheme: an epoch, views=all, n=3", "s", seconds["all views"], "4 epochs of the baseline",
            [VIEWS * one for one in plain], Target("ratio", "at most", 1.02), note("all views")),
        Row("clustering, one map: re-clustering at scope=dataset", "s", [one.clustering for one in times["one map"]],
            "an epoch of the baseline", plain, Target("ratio", "at most", 0.02)),
        Row("the attention pass, once (phase 2)", "s", looks, "an epoch of the baseline", plain),
    ]  # fmt: skip
