"""A predictor that is ready for a training step, whichever its scheme."""

import torch
from composing import small
from fer_perturb.tasks.attention_source import AttentionSource

from fer_perturb.experiment.open_data import open_data
from fer_perturb.tasks.chain import Chain


def ready(data_directory, outputs, *overrides, device="cpu"):
    """The predictor on `device`, without a trainer and its logging, and the batch that training starts with."""
    _, chain, task = untrained(data_directory, outputs, *overrides)
    task.to(device)
    task.image_maps = {split: maps.to(device) for split, maps in task.image_maps.items()}
    task.log = lambda *args, **kwargs: None
    return task, {key: value.to(device) for key, value in chain.data.first_batch(0).items()}


def untrained(data_directory, outputs, *overrides):
    """Config, chain and predictor. Its maps are drawn at random."""
    config = small(data_directory, outputs, *overrides)
    chain = Chain(config, open_data(config), lambda phase: None)
    task = chain.predictor(AttentionSource() if chain.scheme.masks else None)
    generator = torch.Generator().manual_seed(0)
    task.cluster_map.copy_(torch.randint(-1, 3, task.cluster_map.shape, generator=generator))
    maps = {split: (len(rows), *chain.data.data.image_size) for split, rows in chain.data.data.splits.items()}
    task.image_maps = {
        k: torch.randint(-1, 3, shape, dtype=torch.int8, generator=generator) for k, shape in maps.items()
    }
    return config, chain, task
