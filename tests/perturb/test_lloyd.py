"""Two ways to one result: Lloyd's k-means in machine code, for the CPU, and in plain torch, for any other device."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import fer_perturb
from fer_perturb.perturb import lloyd_numba, lloyd_torch

both = pytest.mark.parametrize("lloyd", [lloyd_numba.lloyd, lloyd_torch.lloyd], ids=["numba", "torch"])


def by_definition(planes: Tensor, centres: Tensor, iterations: int) -> tuple[Tensor, Tensor, Tensor]:
    """As the textbook has it, in double precision and with loops."""
    points, centres = planes.mT.double(), centres.double().clone()
    labels = (points[:, :, None] - centres[:, None]).square().sum(-1).argmin(-1)
    for _ in range(iterations):
        for own, label, moved in zip(points, labels, centres, strict=True):
            for c in label.unique():
                moved[c] = own[label == c].mean(0)
        labels = (points[:, :, None] - centres[:, None]).square().sum(-1).argmin(-1)
    nearest = centres.gather(1, labels[..., None].expand_as(points))
    return labels, centres, (points - nearest).square().sum((1, 2))


def whole_numbers(seed: int, *shape: int) -> Tensor:
    return torch.randint(-4, 5, shape, generator=torch.Generator().manual_seed(seed)).float()


@both
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(1, 3),
    dim=st.integers(1, 5),
    count=st.integers(1, 70),
    k=st.integers(1, 6),
)
def test_equals_the_definition(lloyd, seed, batch, dim, count, k):
    # whole numbers: ties and empty clusters are frequent, and the first distances are exact
    planes, start = whole_numbers(seed, batch, dim, count), whole_numbers(seed + 1, batch, k, dim)
    labels, centres, inertia = lloyd(planes, start, 0)
    expected, _, squares = by_definition(planes, start, 0)
    assert torch.equal(labels.long(), expected)
    assert torch.equal(centres, start)
    assert torch.equal(inertia.double(), squares)
    _, centres, inertia = lloyd(planes, start, 1)
    _, means, squares = by_definition(planes, start, 1)
    torch.testing.assert_close(centres.double(), means, atol=1e-5, rtol=0)
    torch.testing.assert_close(inertia.double(), squares, atol=1e-4, rtol=1e-5)


@both
def test_far_more_points_than_a_register_holds(lloyd):
    planes = torch.rand(2, 3, 50_001, generator=torch.Generator().manual_seed(0)) + 10
    start = planes[:, :, :7].mT.contiguous()
    labels, centres, inertia = lloyd(planes, start, 5)
    expected, means, squares = by_definition(planes, start, 5)
    assert (labels == expected).float().mean() > 0.9999
    torch.testing.assert_close(centres.double(), means, atol=1e-4, rtol=0)
    torch.testing.assert_close(inertia.double(), squares, atol=0, rtol=1e-4)


def test_more_sets_than_a_thread_takes_at_a_time():
    generator = torch.Generator().manual_seed(0)
    planes = torch.rand(lloyd_numba.CHUNK * 2 + 5, 3, 100, generator=generator)
    start = torch.rand(len(planes), 4, 3, generator=generator)
    before = planes.clone(), start.clone()
    for found, wanted in zip(lloyd_numba.lloyd(planes, start, 9), lloyd_torch.lloyd(planes, start, 9), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-5, check_dtype=False)
    assert torch.equal(planes, before[0])
    assert torch.equal(start, before[1])


def test_threads_do_not_change_the_result(monkeypatch):
    planes = torch.rand(lloyd_numba.CHUNK * 3, 3, 64, generator=torch.Generator().manual_seed(0))
    start = planes[:, :, :3].mT
    results = []
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        results.append(lloyd_numba.lloyd(planes, start, 20))
    assert all(torch.equal(one, three) for one, three in zip(*results, strict=True))


@both
def test_what_is_not_finite_shows_in_the_inertia(lloyd):
    for bad in (torch.nan, torch.inf, -torch.inf):
        planes = torch.rand(2, 3, 40, generator=torch.Generator().manual_seed(0))
        start = planes[:, :, :2].mT.clone()
        planes[1, 2, 17] = bad
        inertia = lloyd(planes, start, 20)[2]
        assert inertia.isfinite().tolist() == [True, False]


def test_compiled_where_nothing_can_be_kept(tmp_path, monkeypatch):
    # as in an installation that the user may only read; a file in the directory's place stops an administrator too
    (tmp_path / "__pycache__").touch()
    source = tmp_path / "unwritable.py"
    source.write_bytes(Path(lloyd_numba.__file__).read_bytes())
    for variable in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "__pycache__"))
    spec = importlib.util.spec_from_file_location("unwritable", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    planes = torch.rand(2, 3, 50, generator=torch.Generator().manual_seed(0))
    start = planes[:, :, :2].mT
    for found, wanted in zip(module.lloyd(planes, start, 5), lloyd_numba.lloyd(planes, start, 5), strict=True):
        assert torch.equal(found, wanted)
    assert not (tmp_path / "__pycache__").is_dir()


def test_numba_is_imported_only_where_it_is_used():
    # it would add half a second to every start
    sources = Path(fer_perturb.__file__).parent.rglob("*.py")
    at_start = [path.name for path in sources if re.search(r"^(from|import) .*numba", path.read_text(), re.MULTILINE)]
    assert at_start == ["lloyd_numba.py"]
