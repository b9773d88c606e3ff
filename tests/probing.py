"""A network to look through, and a predictor as phase 3 starts it."""

from composing import small
from torch import nn, zeros

from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.phases.attention_clustering import load_state


class Probe(nn.Module):
    """A network that keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.weight = nn.Parameter(zeros(1))

    def forward(self, images):
        self.seen.append(images.detach().clone())
        return self.weight * images.flatten(1)[:, :7]


def clustered(data_directory, outputs, *overrides):
    """Phases 1 and 2, and the predictor as phase 3 starts it; and what phase 2 recorded of its regions."""
    config = small(data_directory, outputs, *overrides)
    chain = Chain(open_experiment(config))
    task, made = chain.predictor.task(chain.predictor.sight()), None
    if chain.clustering:
        phase = chain.clustering.finish()
        load_state(phase.directory, task.region_state)
        made = phase.record["regions"]
    return config, chain, task, made
