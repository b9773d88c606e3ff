"""Floating-point operations of training, counted by torch."""

import copy
from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

Optimizer = Callable[..., torch.optim.Optimizer]
_steps: WeakKeyDictionary[nn.Module, list[tuple[Optimizer, int]]] = WeakKeyDictionary()
_counted: WeakKeyDictionary[nn.Module, dict[tuple[tuple[int, int], bool], int]] = WeakKeyDictionary()


def training_flops(network: nn.Module, input_size: tuple[int, int]) -> int:
    """Operations (2 x multiply-adds) of one image's forward and backward pass; of convolutions and matrix products."""
    return _count(network, input_size, train=True)


def forward_flops(network: nn.Module, input_size: tuple[int, int]) -> int:
    """Operations (2 x multiply-adds) of one image's forward pass."""
    return _count(network, input_size, train=False)


def optimizer_flops(network: nn.Module, optimizer: Optimizer) -> int:
    """Matrix products of one step of `optimizer`, made from the parameters: none but for Muon and its like."""
    known = _steps.setdefault(network, [])
    for counted, flops in known:
        if counted is optimizer:
            return flops
    shadow = copy.deepcopy(network).cpu().requires_grad_(True)
    step = optimizer(shadow.parameters())
    for weights in shadow.parameters():
        weights.grad = torch.ones_like(weights)
    with torch.random.fork_rng(devices=[]), FlopCounterMode(display=False) as counter:
        step.step()
    known.append((optimizer, int(counter.get_total_flops())))
    return known[-1][1]


def _count(network: nn.Module, input_size: tuple[int, int], train: bool) -> int:
    """Counts on a copy, whose statistics may change, and leaves the random stream as it was; each only once."""
    known = _counted.setdefault(network, {})
    if (input_size, train) not in known:
        known[input_size, train] = _counted_now(network, input_size, train)
    return known[input_size, train]


def _counted_now(network: nn.Module, input_size: tuple[int, int], train: bool) -> int:
    shadow = copy.deepcopy(network).cpu().float().requires_grad_(train).train(train)
    images = torch.zeros(2, 1, *input_size)
    with torch.random.fork_rng(devices=[]), torch.set_grad_enabled(train), FlopCounterMode(display=False) as counter:
        logits = shadow(images)
        if train:
            logits.sum().backward()
    return int(counter.get_total_flops()) // len(images)
