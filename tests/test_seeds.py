import pytest
import torch

from fer_perturb.seeds import derive, seed_step


def test_a_seed_for_each_purpose():
    assert derive(0, "step", 1, 2) == derive(0, "step", 1, 2)
    assert len({derive(0, "step", 1, 2), derive(1, "step", 1, 2), derive(0, "step", 12), derive(0, "other", 1, 2)}) == 4
    assert all(0 <= derive(seed, "step") < 2**31 for seed in range(100))


def test_a_step_s_stream_is_torch_s_own():
    torch.manual_seed(7)
    expected = torch.rand(3)
    seed_step(torch.device("cpu"), 7)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps", "mps:0"])
def test_on_a_gpu_its_stream_is_started_too(monkeypatch, device):
    started = []
    monkeypatch.setattr(getattr(torch, device[:-2] if ":" in device else device), "manual_seed", started.append)
    seed_step(torch.device("cpu"), 5)
    assert started == []
    seed_step(torch.device(device), 5)
    assert started == [5]
