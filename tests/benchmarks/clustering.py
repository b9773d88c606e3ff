"""k-means of one attention map, and of every image's, against the libraries that could do it instead."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from torch import Tensor

from benchmarks.bench import COUNTS, Bench, attention_maps, quiet
from benchmarks.measure import Row, Target, against_peers, take_turns
from fer_perturb.perturb.clusters import ITERATIONS, ClusterSettings, cluster_map, cluster_maps_per_image
from fer_perturb.perturb.features import pixel_features
from fer_perturb.perturb.kmeans import batched_kmeans, kmeans
from fer_perturb.perturb.views import masks

K = 3
SETTINGS = ClusterSettings(
    n_clusters=K, position_weight=1.5, attention_weight=1.2, floor=0.0, top_share=1.0, restarts=10
)


def rows(bench: Bench) -> list[Row]:
    return [*(row for restarts in (1, 10) for row in one_map(bench, restarts)), *every_image(bench)]


def features(maps: Tensor) -> Tensor:
    """(..., H, W) -> (..., H * W, 3)."""
    return pixel_features(maps, position_weight=1.5, attention_weight=1.2)


# one map


def one_map(bench: Bench, restarts: int) -> list[Row]:
    """The attention of one batch, summed, to masks."""
    batch = attention_maps(128, seed=1).to(bench.device)
    settings = replace(SETTINGS, restarts=restarts)

    def milliseconds(cluster: Callable[[Tensor], object]) -> float:
        with quiet():
            return 1000 * bench.seconds(lambda: cluster(batch.sum(dim=0)))

    turns = take_turns(
        {
            "ours": lambda: milliseconds(lambda one: masks(cluster_map(one, settings, seed=0).labels, K)),
            "kmeans-pytorch": lambda: milliseconds(lambda one: kmeans_pytorch(features(one), restarts)),
            "scikit-learn": lambda: milliseconds(lambda one: scikit_learn(features(one), restarts)),
        },
        4 * bench.rounds,  # they are short
    )
    what = f"clustering, one map, {restarts} restart{'s' if restarts > 1 else ''}"
    target = Target("ours", "at most", 10)
    return [Row(what, "ms", turns.figures["ours"], target=target), *against_peers(turns, what, "ms")]


def kmeans_pytorch(points: Tensor, restarts: int) -> None:
    """It has neither restarts nor a number of iterations: it stops when the centres hardly move (tol = 1e-4)."""
    from kmeans_pytorch import kmeans as fit

    for _ in range(restarts):
        fit(points, K, device=points.device)


def scikit_learn(points: Tensor, restarts: int) -> None:
    from sklearn.cluster import KMeans

    KMeans(K, init="random", n_init=restarts, max_iter=ITERATIONS, tol=0).fit(points.cpu().numpy())


# every image


def every_image(bench: Bench) -> list[Row]:
    """FER2013's training set; peers get a sample, all from the same centres, with their tolerances at 0."""
    maps = attention_maps(bench.count(COUNTS["train"]), seed=2).to(bench.device)
    centres = cluster_map(maps.mean(dim=0), SETTINGS, seed=0).centres
    peers: Mapping[str, tuple[int, Callable[[Tensor, Tensor], object]]] = {
        "faiss, image by image": (1000, faiss_loop),
        "scikit-learn, image by image": (300, scikit_learn_loop),
        "torch-kmeans, batched": (256, torch_kmeans),
        "fast-pytorch-kmeans, image by image": (200, fast_pytorch_kmeans),
        "fast-pytorch-kmeans, batched": (256, fast_pytorch_kmeans_batched),
    }
    if bench.device.type == "cuda":
        peers = {**peers, "flash-kmeans, batched": (4096, flash_kmeans)}

    def rate(count: int, work: Callable[[Tensor, Tensor], object]) -> float:
        sample = maps[: bench.count(count, least=4)]
        with quiet():
            return len(sample) / bench.seconds(lambda: work(features(sample), centres))

    def ours() -> float:
        return len(maps) / bench.seconds(lambda: cluster_maps_per_image(maps, SETTINGS, centres))

    turns = take_turns({"ours": ours, **{name: partial(rate, *peer) for name, peer in peers.items()}}, bench.rounds)
    what = f"clustering, every image ({len(maps):,})"
    seconds = [len(maps) / figure for figure in turns.figures["ours"]]
    return [
        Row(what, "s", seconds, target=Target("ours", "at most", 3)),
        *against_peers(turns, what, "maps/s", {"faiss, image by image": Target("ratio", "at least", 10)}),
        inertia(maps[: bench.count(1000, least=4)], centres),
    ]


def inertia(maps: Tensor, centres: Tensor) -> Row:
    """How far our inertia is from faiss's, image by image, from the same centres."""
    points = features(maps)
    _, _, ours = batched_kmeans(points, centres, iterations=ITERATIONS)
    faiss = [kmeans(one, K, seed=0, iterations=ITERATIONS, start=centres).inertia for one in points]
    off = [abs(a / b - 1) for a, b in zip(ours.tolist(), faiss, strict=True)]
    note = f"the worst of {len(off)} images; mean {100 * statistics.mean(off):.2g} %"
    what = "clustering, every image: inertia off faiss's"
    return Row(what, "%", [100 * max(off)], target=Target("ours", "at most", 0.1), note=note)


def faiss_loop(points: Tensor, centres: Tensor) -> None:
    import faiss

    start = centres.cpu().numpy()
    for one in points.cpu().numpy():
        solver = faiss.Kmeans(3, K, niter=ITERATIONS, max_points_per_centroid=len(one), min_points_per_centroid=1)
        solver.train(one, init_centroids=start)
        solver.assign(one)


def scikit_learn_loop(points: Tensor, centres: Tensor) -> None:
    from sklearn.cluster import KMeans

    start = centres.cpu().numpy()
    for one in points.cpu().numpy():
        KMeans(K, init=start, n_init=1, max_iter=ITERATIONS, tol=0).fit(one)


def torch_kmeans(points: Tensor, centres: Tensor) -> None:
    from torch_kmeans import KMeans

    plain = KMeans(num_init=1, max_iter=ITERATIONS, tol=0, verbose=False, normalize_embeddings=False)
    for part in points.split(64):  # it holds every pair of point and centre in memory
        plain(part, k=K, centers=centres.expand(len(part), -1, -1).clone())


def fast_pytorch_kmeans(points: Tensor, centres: Tensor) -> None:
    from fast_pytorch_kmeans import KMeans

    for one in points:
        KMeans(K, max_iter=ITERATIONS, tol=0).fit_predict(one, centroids=centres)


def fast_pytorch_kmeans_batched(points: Tensor, centres: Tensor) -> None:
    from fast_pytorch_kmeans import MultiKMeans

    for part in points.split(64):
        MultiKMeans(K, max_iter=ITERATIONS, tol=0).fit_predict(part, centroids=centres.expand(len(part), -1, -1))


def flash_kmeans(points: Tensor, centres: Tensor) -> None:
    from flash_kmeans import batch_kmeans_Euclid

    start = centres.expand(len(points), -1, -1).contiguous()
    batch_kmeans_Euclid(points, K, max_iters=ITERATIONS, tol=0.0, init_centroids=start)
