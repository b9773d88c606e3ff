"""The paper's five networks as its author counts them, and their small versions."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from fer_perturb.experiment.flops import forward_flops
from fer_perturb.models.build import OWN, build_network
from fer_perturb.models.gates import GatedNetwork
from fer_perturb.models.resmasking import MaskingBlock
from fer_perturb.models.stages import stages
from fer_perturb.models.zero_padded import ZeroPadded

PAPER = {
    # parameters and forward GFLOP at 40x40 of the author's networks: one grey channel, seven classes
    "fer_vgg16": (33_649_607, 0.98),
    "fer_resnet50": (23_513_543, 4.05),
    "fer_dpn26": (11_566_391, 2.08),
    "fer_densenet121": (6_952_071, 2.77),
    "resmasking": (137_790_151, 3.56),
}
SMALL = ("vgg16_small", "resnet_small", "densenet_small", "dpn_small", "resmasking_small")
TEN = (*PAPER, *SMALL)


@pytest.mark.parametrize(("name", "parameters", "gflop"), [(name, *counts) for name, counts in PAPER.items()])
def test_counts_of_the_author_s_networks(name: str, parameters: int, gflop: float) -> None:
    network = build_network(name, num_classes=7)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert forward_flops(network, (40, 40)) / 1e9 == pytest.approx(gflop, abs=0.01)


@pytest.mark.parametrize("name", SMALL)
def test_small_ones_are_small(name: str) -> None:
    assert forward_flops(build_network(name, num_classes=7), (48, 48)) <= 0.2e9


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("side", [40, 48])
def test_a_step_gives_every_parameter_a_gradient(name: str, side: int) -> None:
    torch.manual_seed(0)
    network = build_network(name, num_classes=5).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    logits = network(torch.rand(2, 1, side, side))
    assert logits.shape == (2, 5)
    nn.functional.cross_entropy(logits, torch.tensor([0, 3])).backward()
    for path, parameter in network.named_parameters():
        assert parameter.grad is not None, path
        assert torch.isfinite(parameter.grad).all(), path
    optimizer.step()
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())


@pytest.mark.parametrize("name", TEN)
def test_gates_on_the_input_and_between_the_stages(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(name, num_classes=7, attention_at=["input", "stage1", "stage2"])
    assert isinstance(network, GatedNetwork)
    logits, attention = network.forward_with_attention(torch.rand(2, 1, 48, 48))
    assert attention.shape == (2, 48, 48)
    assert 0 <= float(attention.detach().min()) <= float(attention.detach().max()) <= 1
    logits.square().sum().backward()
    gates = network.gates()
    assert list(gates) == ["input", "stage1", "stage2"]
    for gate in gates.values():
        gradient = gate.conv.weight.grad
        assert gradient is not None
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("side", [40, 48])
def test_attention_lies_where_the_picture_has_something(name: str, side: int) -> None:
    torch.manual_seed(0)
    network = build_network(name, num_classes=7, attention_at=["stage1", "stage2"]).eval()
    assert isinstance(network, GatedNetwork)
    pictures = torch.zeros(3, 1, side, side)
    low, high = side // 4, 3 * side // 4
    for number, middle in enumerate((low, high)):
        pictures[number, 0, middle - 2 : middle + 2, middle - 2 : middle + 2] = 3.0
    with torch.no_grad():
        _, attention = network.forward_with_attention(pictures)
    change = (attention[:2] - attention[2]).square()
    pixels = torch.arange(side) + 0.5
    for kept in (1, 2):  # rows, columns: the attention moves as far as what it is drawn by
        seen = change.sum(dim=3 - kept)
        first, second = (seen @ pixels) / seen.sum(dim=1)
        assert float(second - first) == pytest.approx(high - low, rel=0.2)


@pytest.mark.parametrize("side", [40, 48])
def test_attention_of_a_padded_picture_is_its_middle(side: int) -> None:
    torch.manual_seed(0)
    network = build_network("resmasking_small", num_classes=7, attention_at=["stage1", "stage2"]).eval()
    assert isinstance(network, GatedNetwork)
    picture, margin = torch.rand(1, 1, side, side), (64 - side) // 2
    with torch.no_grad():
        logits, attention = network.forward_with_attention(picture)
        same, whole = network.forward_with_attention(nn.functional.pad(picture, (margin,) * 4))
    torch.testing.assert_close(logits, same)
    torch.testing.assert_close(attention, whole[:, margin:-margin, margin:-margin])


@pytest.mark.parametrize("name", TEN)
def test_stages_are_what_feature_info_says(name: str) -> None:
    network = build_network(name, num_classes=7).eval()
    info = {entry["module"]: entry for entry in network.feature_info}
    seen = {}
    for path in stages(network).values():
        module = network.get_submodule(path)
        module.register_forward_hook(lambda module, inputs, output, path=path: seen.update({path: output.shape}))
    with torch.no_grad():
        network(torch.rand(1, 1, 64, 64))
    assert len(seen) >= 4
    for path, shape in seen.items():
        assert shape[1] == info[path]["num_chs"], path
        assert shape[2] == math.ceil(64 / info[path]["reduction"]), path


@pytest.mark.slow
def test_no_name_of_timm_s_is_taken() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", "import timm; print(*timm.list_models())"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(listed) > 1000
    assert set(TEN) <= set(OWN)
    assert not set(OWN) & set(listed)


@pytest.mark.parametrize("name", SMALL)
def test_the_same_seed_gives_the_same_weights(name: str) -> None:
    networks = []
    for _ in range(2):
        torch.manual_seed(3)
        networks.append(build_network(name, num_classes=7).state_dict())
    assert all(torch.equal(a, b) for a, b in zip(*(n.values() for n in networks), strict=True))


def test_vgg16_drops_out_after_every_convolution() -> None:
    network = build_network("fer_vgg16", num_classes=7)
    dropouts = [m for m in network.modules() if isinstance(m, nn.Dropout) and m.p > 0]
    convolutions = [m for m in network.features.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 13
    assert len(dropouts) == 13 + 2  # and after each of the two wide layers
    assert {m.p for m in dropouts} == {0.4}


# ResMasking, against the published description (Pham et al. 2020, section III)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_masking_block_is_a_u_net_of_that_depth(depth: int) -> None:
    torch.manual_seed(0)
    block = MaskingBlock(8, depth).eval()
    shapes = []
    for module in block.down:
        module.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape[1:])))
    x = torch.rand(2, 8, 16, 16)
    with torch.no_grad():
        mask, out = block.mask(x), block(x)
    assert shapes[:depth] == [(8 * 2 ** (level + 1), 16 // 2**level, 16 // 2**level) for level in range(depth)]
    assert mask.shape == x.shape
    assert torch.allclose(mask.sum(dim=1), torch.ones(2, 16, 16), atol=1e-5)  # a softmax over the channels
    assert torch.equal(out, x * (1 + mask))


def test_resmasking_has_masks_of_depth_4_to_1_after_its_stages() -> None:
    network = build_network("resmasking", num_classes=7)
    stages_ = (network.layer1, network.layer2, network.layer3, network.layer4)
    assert [len(stage) - 1 for stage in stages_] == [3, 4, 6, 3]  # ResNet-34's blocks, and the masking block
    assert all(isinstance(stage[-1], MaskingBlock) for stage in stages_)
    assert [len(stage[-1].down) for stage in stages_] == [4, 3, 2, 1]
    assert [len(stage[-1].up) for stage in stages_] == [3, 2, 1, 0]


@pytest.mark.parametrize(("side", "padded"), [(40, 64), (48, 64), (64, 64), (65, 96)])
def test_pictures_are_padded_with_zeros(side: int, padded: int) -> None:
    out = ZeroPadded()(torch.ones(1, 1, side, side))
    assert out.shape == (1, 1, padded, padded)
    assert float(out.sum()) == side * side
    low = (padded - side) // 2
    assert torch.equal(out[..., low : low + side, low : low + side], torch.ones(1, 1, side, side))
