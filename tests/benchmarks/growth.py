"""Growth: seconds for more images and for more clusters; nothing should grow faster than linearly."""

import dataclasses
import statistics
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.bench import Bench, attention_maps
from benchmarks.fits import attention_source, time_fit
from benchmarks.measure import Axis, Curve, Row, Target
from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.data.packed import Split
from fer_perturb.perturb.clusters import ClusterSettings, cluster_map, cluster_maps_per_image

TIMES = (1, 2, 4, 8)  # FER2013's training set
CLUSTERS = (2, 3, 4, 6, 8, 12, 16)
LINEAR = Target("ours", "at most", 1.05)  # the exponent of growth; 0.05 for the noise of the clock


def rows(bench: Bench) -> list[Row]:
    return [*more_images(bench), *more_clusters(bench)]


def more_images(bench: Bench) -> list[Row]:
    """Of the data, the input pipeline, and the clusters of each image; a step knows nothing of the number of images."""
    chain = bench.chain("recipe=cpu", "scheme=baseline")
    augmentation = chain.predictor.task().augmentation.to(bench.device)
    train = bench.data.splits["train"]

    def repeated(times: float) -> FaceDataModule:
        images, labels = np.tile(train.images, (int(times), 1, 1)), np.tile(train.labels, int(times))
        split = Split(images, labels, [f"row{row}" for row in range(len(images))])
        data = dataclasses.replace(bench.data, splits={**bench.data.splits, "train": split})
        return FaceDataModule(data, batch_size=128, seed=0, clean=False)

    def opening(times: float) -> float:
        data = repeated(times).packed
        return bench.seconds(lambda: FaceDataModule(data, batch_size=128, seed=0, clean=False).first_batch(0))

    def pipeline(times: float) -> float:
        loader = repeated(times).train_dataloader()

        def epoch() -> None:  # no list: batches that are kept would be new memory, asked of the system page by page
            for batch in loader:
                augmentation(batch["image"].to(bench.device))

        return bench.seconds(epoch)

    maps = attention_maps(len(train), seed=2)
    centres = cluster_map(maps.mean(dim=0), settings(3), seed=0).centres

    def clustering(times: float) -> float:
        many = maps.repeat(int(times), 1, 1).to(bench.device)
        return bench.seconds(lambda: cluster_maps_per_image(many, settings(3), centres))

    return [
        grown("images", "the data module and its first batch", opening, TIMES, bench.rounds),
        grown("images", "input pipeline, an epoch", pipeline, TIMES, bench.rounds),
        grown("images", "clustering, every image", clustering, TIMES, bench.rounds),
    ]


def more_clusters(bench: Bench) -> list[Row]:
    """One map, 2,000 images' maps, and a training step that sees all n + 1 views."""
    maps = attention_maps(bench.count(2000), seed=2).to(bench.device)
    mean = maps.mean(dim=0)

    def one_map(n: float) -> float:
        return bench.seconds(lambda: cluster_map(mean, settings(int(n)), seed=0))

    def every_image(n: float) -> float:
        centres = cluster_map(mean, settings(int(n)), seed=0).centres
        return bench.seconds(lambda: cluster_maps_per_image(maps, settings(int(n)), centres))

    def all_views(n: float) -> float:
        small = ("model=resnet_tiny", "recipe=demo", "recipe.batch_size=64", "recipe.initial_size=null", "logger=csv")
        chain = bench.chain(*small, "scheme=perturb", f"scheme.regions.n_clusters={int(n)}")
        source, _ = attention_source(bench, chain)
        return time_fit(bench, chain, bench.count(10), source).step

    return [
        grown("clusters", "clustering, one map", one_map, CLUSTERS, bench.rounds),
        grown("clusters", "clustering, 2,000 images", every_image, CLUSTERS, bench.rounds),
        grown("clusters", "a training step, views=all", all_views, CLUSTERS, bench.rounds),
    ]


def grown(axis: Axis, what: str, seconds: Callable[[float], float], sizes: Sequence[float], rounds: int) -> Row:
    """The exponent of growth: the slope of log seconds over log size, by least squares."""
    seconds(sizes[0])  # warm-up
    turns = [[seconds(size) for size in sizes] for _ in range(rounds)]
    medians = [statistics.median(taken) for taken in zip(*turns, strict=True)]
    exponent = float(np.polyfit(np.log(sizes), np.log(medians), 1)[0])
    name = f"growth with {axis}: {what}"
    note = f"{medians[0]:.3g} s at {sizes[0]}, {medians[-1]:.3g} s at {sizes[-1]}"
    return Row(name, "exponent", [exponent], target=LINEAR, note=note, curve=Curve(axis, sizes, medians))


def settings(n: int) -> ClusterSettings:
    return ClusterSettings(
        n_clusters=n, position_weight=1.5, attention_weight=1.2, floor=0.0, top_share=1.0, restarts=10
    )
