"""A network to look through, and a predictor as phase 3 starts it."""

from composing import small
from torch import nn, zeros

from fer_perturb.experiment.open_data import open_data
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.phases.attention_clustering import load_clusters


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
    """Phases 1 and 2, and the predictor as phase 3 starts it."""
    config = small(data_directory, outputs, *overrides)
    chain = Chain(config, open_data(config), lambda phase: None)
    attention = clustering = None
    if chain.scheme.attention == "frozen":
        attention = chain.train_attention()
        clustering = chain.cluster(attention)
    source = chain.attention_source(attention, clustering)
    task = chain.predictor(source)
    if clustering is not None:
        start = load_clusters(clustering.directory)
        task.cluster_map.copy_(start.labels)
        task.centres.copy_(start.centres)
    return config, chain, source, task
