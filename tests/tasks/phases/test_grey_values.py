"""Equation 1 read literally: the grey values are clustered."""

import numpy as np
import pytest
from composing import small

from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.tasks.chain import Chain


@pytest.mark.parametrize("scope", ["batch", "dataset", "image"])
def test_phase_2_clusters_the_grey_values(data_directory, tmp_path, scope):
    config = small(data_directory, tmp_path, "scheme=grey_value", f"scheme/regions={scope}")
    config.recipe.augmentation.update(flip=0.0, affine=0.0, jitter=0.0)
    chain = Chain(open_experiment(config))
    clustering = chain.clustering.finish()
    clustered = np.load(clustering.directory / "attention.npy")
    train = chain.experiment.data.splits["train"].images
    if scope == "batch":
        expected = chain.run.data.first_batch(0)["image"][:, 0].float().sum(dim=0).numpy() / 255
    else:
        expected = train.mean(axis=0) / 255
    np.testing.assert_allclose(clustered, expected, rtol=1e-3, atol=1e-4)
    assert clustering.record["flops"] == 0
    if scope == "image":
        rows = np.load(clustering.directory / "attention_per_image.npy")
        np.testing.assert_allclose(rows, train / 255, atol=1e-3)
