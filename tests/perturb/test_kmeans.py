import math

import faiss
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_perturb.perturb import faiss_gpu, lloyd_numba, lloyd_torch
from fer_perturb.perturb.features import pixel_features
from fer_perturb.perturb.kmeans import batched_kmeans, batched_lloyd, kmeans
from fer_perturb.perturb.lloyd_numba import CHUNK

START = torch.tensor([[0.4, 0.4, 0.6], [1.1, 0.4, 0.6], [0.75, 1.1, 0.6]])


def smooth_maps(count: int, side: int = 48, seed: int = 0) -> Tensor:
    coarse = torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=(side, side), mode="bicubic")[:, 0]


def smooth_points(count: int, alpha: float = 1.2, side: int = 48) -> Tensor:
    return pixel_features(smooth_maps(count, side), position_weight=1.5, attention_weight=alpha)


def lloyd_by_definition(points: Tensor, centres: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """k-means as the textbook has it, in double precision and with loops; an empty cluster keeps its centre."""
    points, centres = points.double(), centres.double().clone()
    for _ in range(iterations):
        labels = (points[:, None] - centres).square().sum(-1).argmin(1)
        for c in range(len(centres)):
            if (labels == c).any():
                centres[c] = points[labels == c].mean(0)
    return (points[:, None] - centres).square().sum(-1).argmin(1), centres


def test_four_corners_by_hand():
    points = torch.tensor([[0.0, 0.0], [0.0, 1.0], [9.0, 0.0], [9.0, 1.0]])
    found = kmeans(points, 2, seed=0, restarts=5)
    assert found.labels[0] == found.labels[1] != found.labels[2] == found.labels[3]
    assert sorted(found.centres.tolist()) == [[0.0, 0.5], [9.0, 0.5]]
    assert found.inertia == pytest.approx(4 * 0.25)


def test_one_cluster_is_the_mean():
    points = smooth_points(1)[0]
    found = kmeans(points, 1, seed=3)
    torch.testing.assert_close(found.centres[0], points.mean(0))
    assert (found.labels == 0).all()


def test_as_many_clusters_as_points():
    points = torch.rand(7, 3, generator=torch.Generator().manual_seed(0))
    found = kmeans(points, 7, seed=0)
    assert found.labels.sort().values.tolist() == list(range(7))
    assert found.inertia == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("restarts", [1, 4])
def test_labels_and_inertia_belong_to_the_returned_centres(restarts):
    points = smooth_points(1)[0]
    found = kmeans(points, 5, seed=1, restarts=restarts, iterations=3)  # 3: not converged
    distances = (points.double()[:, None] - found.centres.double()).square().sum(-1)
    assert (found.labels == distances.argmin(1)).float().mean() > 0.999
    assert found.inertia == pytest.approx(distances.min(1).values.sum().item(), rel=1e-5)
    assert found.labels.dtype == torch.int64
    assert found.centres.dtype == torch.float32


def test_seed_decides():
    points = smooth_points(1, alpha=3.0)[0]
    first, again = kmeans(points, 4, seed=5), kmeans(points, 4, seed=5)
    assert torch.equal(first.labels, again.labels)
    assert torch.equal(first.centres, again.centres)
    assert first.inertia == again.inertia
    assert len({kmeans(points, 4, seed=s, iterations=1).inertia for s in range(5)}) > 1


@pytest.mark.parametrize("seed", [0, 2**31 - 1, 2**31, 2**63, -1])
def test_any_whole_number_is_a_seed(seed):
    points = smooth_points(1)[0]
    assert torch.equal(kmeans(points, 3, seed=seed).labels, kmeans(points, 3, seed=seed).labels)


def test_threads_do_not_change_the_result():
    points = smooth_points(1)[0]
    threads = faiss.omp_get_max_threads()
    try:
        faiss.omp_set_num_threads(1)
        alone = kmeans(points, 3, seed=0, restarts=3)
        faiss.omp_set_num_threads(2)
        together = kmeans(points, 3, seed=0, restarts=3)
    finally:
        faiss.omp_set_num_threads(threads)
    assert torch.equal(alone.labels, together.labels)
    assert torch.equal(alone.centres, together.centres)


def test_random_streams_of_torch_are_left_alone():
    before = torch.random.get_rng_state()
    kmeans(smooth_points(1)[0], 3, seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_restarts_keep_the_best():
    points = smooth_points(1, alpha=4.0)[0]
    single = [kmeans(points, 6, seed=s).inertia for s in range(12)]
    many = [kmeans(points, 6, seed=s, restarts=12).inertia for s in range(12)]
    assert max(single) > 1.01 * min(single)  # or this test could not fail
    # a seed's first start is the same with and without restarts
    assert all(best <= one * (1 + 1e-5) for best, one in zip(many, single, strict=True))
    assert sum(many) < 0.99 * sum(single)


def test_warm_start_at_the_solution_stays_there():
    points = smooth_points(1)[0]
    cold = kmeans(points, 3, seed=0, iterations=200)
    order = torch.tensor([2, 0, 1])
    warm = kmeans(points, 3, seed=99, restarts=7, iterations=1, start=cold.centres[order])
    torch.testing.assert_close(warm.centres, cold.centres[order])
    assert torch.equal(order[warm.labels], cold.labels)


def test_warm_start_uses_no_chance():
    points = smooth_points(1)[0]
    a, b = (kmeans(points, 3, seed=s, iterations=2, start=START) for s in (1, 2))
    assert torch.equal(a.labels, b.labels)


def test_all_points_are_used():
    # faiss samples 256 points per cluster unless told otherwise
    points = torch.zeros(5000, 1)
    points[4999] = 4999.0
    points[1::2] += 1
    found = kmeans(points, 1, seed=0)
    assert found.centres.item() == pytest.approx(points.double().mean().item(), rel=1e-5)


def test_same_points_and_centres_are_not_changed():
    points, start = smooth_points(1)[0], START.clone()
    before = points.clone()
    kmeans(points, 3, seed=0, start=start)
    batched_kmeans(points[None], start)
    assert torch.equal(points, before)
    assert torch.equal(start, START)


@pytest.mark.parametrize(
    ("points", "k", "message"),
    [
        (torch.rand(5, 3), 6, "6 distinct points, there are 5 among 5"),
        (torch.tensor([[0.0], [1.0], [0.0], [1.0]]), 3, "3 distinct points, there are 2 among 4"),
        (torch.zeros(9, 2), 2, "there are 1"),
        (torch.rand(5, 3), 0, "at least 1"),
        (torch.full((5, 3), math.nan), 1, "NaN"),
        (torch.tensor([[0.0], [math.inf]]), 1, "NaN"),
        (torch.rand(2, 5, 3), 2, r"\(N, D\)"),
    ],
)
def test_kmeans_refuses(points, k, message):
    with pytest.raises(ValueError, match=message):
        kmeans(points, k, seed=0)


def test_start_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="start"):
        kmeans(torch.rand(9, 3), 2, seed=0, start=START)


def test_which_path_faiss_takes(monkeypatch):
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    for gpus, expected in ((0, False), (2, True)):
        monkeypatch.setattr(faiss, "get_num_gpus", lambda gpus=gpus: gpus)
        assert faiss_gpu.faiss_uses_gpu(torch.device("cuda")) is expected
        assert faiss_gpu.faiss_uses_gpu(torch.device("cuda", 1)) is expected
        assert faiss_gpu.faiss_uses_gpu(torch.device("cpu")) is False
        assert faiss_gpu.faiss_uses_gpu(torch.device("mps")) is False
    monkeypatch.delattr(faiss, "StandardGpuResources")  # as in faiss-cpu
    assert faiss_gpu.faiss_uses_gpu(torch.device("cuda")) is False


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1", "mps"])
def test_which_path_many_sets_take(device):
    device = torch.device(device)
    assert batched_lloyd(device) is (lloyd_numba.lloyd if device.type == "cpu" else lloyd_torch.lloyd)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """`kmeans` goes the way of points on a GPU, with faiss's search for tensors on the CPU; counts its searches."""
    import faiss.contrib.torch_utils  # faiss then takes tensors

    searches = []

    def search(points, centres):
        searches.append((points, centres))
        return faiss.knn(points, centres, 1)[1][:, 0]

    monkeypatch.setattr(faiss_gpu, "faiss_uses_gpu", lambda device: True)
    monkeypatch.setattr(faiss_gpu, "gpu_search", lambda device: search)
    return searches


def test_on_a_gpu_as_on_the_cpu_from_the_same_start(as_on_a_gpu):
    for points in smooth_points(4):
        for iterations in (1, 20):
            found = kmeans(points, 3, seed=0, restarts=9, iterations=iterations, start=START)
            labels, centres, inertia = batched_kmeans(points[None], START, iterations=iterations)
            assert (found.labels == labels[0]).float().mean() > 0.999
            assert found.inertia == pytest.approx(inertia.item(), rel=1e-3)
            torch.testing.assert_close(found.centres, centres[0], atol=1e-3, rtol=0)
    assert len(as_on_a_gpu) == 4 * (2 + 21)  # one start, whatever the restarts


@pytest.mark.parametrize("searched", ["as_on_a_gpu", "no_faiss"])
def test_our_own_keeps_the_best_restart(request, searched):
    request.getfixturevalue(searched)
    points = smooth_points(1, alpha=4.0)[0]
    single = [kmeans(points, 6, seed=s).inertia for s in range(12)]
    many = [kmeans(points, 6, seed=s, restarts=12) for s in range(12)]
    assert max(single) > 1.01 * min(single)  # or this test could not fail
    # a seed's first start is the same with and without restarts
    assert all(best.inertia <= one * (1 + 1e-5) for best, one in zip(many, single, strict=True))
    best = min(many, key=lambda found: found.inertia)
    squares = (points.double() - best.centres[best.labels]).square().sum().item()
    assert best.inertia == pytest.approx(squares, rel=1e-5)


@pytest.mark.parametrize("seed", [0, 2**31, 2**63, -1])
def test_on_a_gpu_the_starts_are_distinct_points_of_the_seed(as_on_a_gpu, seed):
    points = torch.tensor([[5.0], [0.0], [9.0]]).repeat_interleave(torch.tensor([1, 97, 2]), dim=0)
    found = kmeans(points, 3, seed=seed, iterations=1)
    assert found.centres.flatten().sort().values.tolist() == [0.0, 5.0, 9.0]
    assert found.inertia == 0
    assert torch.equal(found.labels, kmeans(points, 3, seed=seed, iterations=1).labels)
    assert len({tuple(kmeans(points, 3, seed=s, iterations=1).centres.flatten().tolist()) for s in range(9)}) > 1


def test_without_faiss_it_is_told_once(no_faiss, capsys):
    assert not faiss_gpu.faiss_uses_gpu(torch.device("cuda"))
    for seed in range(3):
        kmeans(smooth_points(1)[0], 3, seed=seed)
    assert capsys.readouterr().out.count("faiss cannot be imported: nvidia-cuda-runtime-cu12 is missing. ") == 1


@pytest.mark.parametrize("iterations", [1, 20])
def test_without_faiss_as_with_it_from_the_same_start(request, iterations):
    with_it = [kmeans(points, 3, seed=0, restarts=9, iterations=iterations, start=START) for points in smooth_points(4)]
    request.getfixturevalue("no_faiss")
    for points, expected in zip(smooth_points(4), with_it, strict=True):
        found = kmeans(points, 3, seed=0, restarts=9, iterations=iterations, start=START)
        assert (found.labels == expected.labels).float().mean() > 0.999
        assert found.inertia == pytest.approx(expected.inertia, rel=1e-3)
        torch.testing.assert_close(found.centres, expected.centres, atol=1e-3, rtol=0)


@pytest.mark.parametrize("iterations", [1, 5, 20])
def test_batched_equals_faiss_from_the_same_start(iterations):
    points = smooth_points(24)
    labels, centres, inertia = batched_kmeans(points, START, iterations=iterations)
    for b, own in enumerate(points):
        reference = kmeans(own, 3, seed=0, start=START, iterations=iterations)
        assert reference.labels.bincount(minlength=3).min() > 0
        assert (labels[b] == reference.labels).float().mean() > 0.999
        assert inertia[b].item() == pytest.approx(reference.inertia, rel=1e-3)
        torch.testing.assert_close(centres[b], reference.centres, atol=1e-3, rtol=0)


def test_features_are_laid_out_as_batched_kmeans_wants_them():
    assert smooth_points(2).mT.is_contiguous()


def test_batched_equals_the_definition():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(5, 200, 4, generator=generator)
    start = torch.rand(5, 6, 4, generator=generator)
    labels, centres, inertia = batched_kmeans(points, start, iterations=4)
    for b in range(5):
        expected, means = lloyd_by_definition(points[b], start[b], 4)
        assert torch.equal(labels[b], expected)
        torch.testing.assert_close(centres[b].double(), means, atol=1e-5, rtol=0)
        square = (points[b].double() - means[expected]).square().sum().item()
        assert inertia[b].item() == pytest.approx(square, rel=1e-5)


def test_batched_in_chunks_equals_one_by_one():
    points = smooth_points(CHUNK + 3, side=12)
    starts = START + 0.1 * torch.rand(CHUNK + 3, 3, 3, generator=torch.Generator().manual_seed(1))
    labels, centres, inertia = batched_kmeans(points, starts)
    for b in (0, 1, CHUNK - 1, CHUNK, CHUNK + 2):
        own = batched_kmeans(points[b : b + 1], starts[b])
        assert torch.equal(labels[b], own[0][0])
        torch.testing.assert_close(centres[b], own[1][0])
        torch.testing.assert_close(inertia[b], own[2][0])


def test_stopping_early_changes_nothing():
    points = smooth_points(3, side=10)
    for found, later in zip(
        batched_kmeans(points, START, iterations=100), batched_kmeans(points, START, iterations=500), strict=True
    ):
        assert torch.equal(found, later)


def test_an_empty_cluster_keeps_its_centre():
    points = smooth_points(2)
    far = torch.cat((START, torch.full((1, 3), 50.0)))
    labels, centres, _ = batched_kmeans(points, far)
    assert (labels < 3).all()
    assert torch.equal(centres[:, 3], far[3].expand(2, 3))
    without, _, _ = batched_kmeans(points, START)
    assert torch.equal(labels, without)


def test_a_cluster_of_one_point_is_that_point():
    points = torch.tensor([[[0.0, 0.0], [0.0, 2.0], [9.0, 9.0]]])
    labels, centres, inertia = batched_kmeans(points, torch.tensor([[1.0, 1.0], [7.0, 8.0]]))
    assert labels.tolist() == [[0, 0, 1]]
    assert centres.tolist() == [[[0.0, 1.0], [9.0, 9.0]]]
    assert inertia.tolist() == [2.0]


def test_of_equally_near_centres_the_first():
    labels, _, _ = batched_kmeans(torch.zeros(1, 4, 2), torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0]]))
    assert (labels == 0).all()


def test_precision_settings_do_not_coarsen_it():
    points = smooth_points(2)
    expected = batched_kmeans(points, START)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for found, wanted in zip(batched_kmeans(points, START), expected, strict=True):
            assert torch.equal(found, wanted)
        features = pixel_features(smooth_maps(2), position_weight=1.5, attention_weight=1.2)
    assert torch.equal(features, points)


def test_batched_shapes_and_dtypes():
    points = smooth_points(2, side=8).half()
    labels, centres, inertia = batched_kmeans(points.requires_grad_(), START)
    assert (labels.shape, labels.dtype) == ((2, 64), torch.int64)
    assert (centres.shape, centres.dtype) == ((2, 3, 3), torch.float32)
    assert (inertia.shape, inertia.dtype) == ((2,), torch.float32)
    assert not centres.requires_grad


@pytest.mark.parametrize(
    ("points", "start"),
    [
        (torch.rand(2, 9, 3), torch.rand(3, 2)),
        (torch.rand(2, 9, 3), torch.rand(0, 3)),
        (torch.rand(2, 0, 3), torch.rand(2, 3)),
        (torch.full((2, 9, 3), math.nan), torch.rand(2, 3)),
        (torch.rand(2, 9, 3), torch.full((2, 3), math.inf)),
    ],
)
def test_batched_refuses(points, start):
    with pytest.raises(ValueError, match=r"do not fit|NaN"):
        batched_kmeans(points, start)
