"""A predictor that is ready for a training step, whichever its scheme."""

import torch
from composing import small

from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.phases.predictor import Predictor


def ready(data_directory, outputs, *overrides, device="cpu"):
    """The predictor on `device`, without a trainer and its logging, and the batch that training starts with."""
    _, chain, task = untrained(data_directory, outputs, *overrides)
    task.to(device)
    if hasattr(getattr(task, "region_state", None), "maps_of"):
        task.region_state.maps_of = {split: maps.to(device) for split, maps in task.region_state.maps_of.items()}
    task.log = lambda *args, **kwargs: None
    return task, {key: value.to(device) for key, value in chain.run.data.first_batch(0).items()}


def untrained(data_directory, outputs, *overrides):
    """Config, chain and predictor. Its maps are drawn at random."""
    config = small(data_directory, outputs, *overrides)
    chain = Chain(open_experiment(config))
    task = chain.predictor.task()
    if isinstance(task, Predictor):
        state, generator = task.region_state, torch.Generator().manual_seed(0)
        if hasattr(state, "cluster_map"):
            state.cluster_map.copy_(torch.randint(-1, 3, state.cluster_map.shape, generator=generator))
        if hasattr(state, "maps_of"):
            data = chain.experiment.data
            maps = {split: (len(rows), *data.image_size) for split, rows in data.splits.items()}
            state.maps_of = {
                k: torch.randint(-1, 3, shape, dtype=torch.int8, generator=generator) for k, shape in maps.items()
            }
    return config, chain, task
