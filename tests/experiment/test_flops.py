"""What training costs, counted."""

from functools import partial

import pytest
import torch
from timm.optim import Muon
from torch import nn

from fer_perturb.experiment.flops import forward_flops, optimizer_flops, training_flops


@pytest.fixture
def network():
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 36, 7))


def test_a_pass_by_hand(network):
    convolution, linear = 2 * 36 * 8 * 9, 2 * 8 * 36 * 7
    assert forward_flops(network, (6, 6)) == convolution + linear
    # backward: the weights' gradient of both, and the input's of the second
    assert training_flops(network, (6, 6)) == 2 * convolution + 3 * linear


def test_an_elementwise_optimiser_costs_nothing_and_leaves_the_network_alone(network):
    before = [weights.clone() for weights in network.parameters()]
    assert optimizer_flops(network, partial(torch.optim.AdamW, lr=1.0)) == 0
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_muon_s_orthogonalisation_is_counted(network):
    def products(m, n):  # of one Newton-Schulz step on (m, n), m <= n: X X', its square, and their product with X
        return 2 * m * m * n + 2 * m**3 + 2 * m * m * n

    # the convolution's one input channel leaves nothing to orthogonalise: timm gives it to AdamW
    assert optimizer_flops(network, partial(Muon, lr=1.0, ns_steps=4)) == 4 * products(7, 8 * 36)
