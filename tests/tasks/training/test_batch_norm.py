"""Batch norm's statistics can be estimated anew from whole images."""

import pytest
import torch
from composing import small
from safetensors.torch import load_file
from torch import nn

from fer_perturb.data.augmentation.augment import to_unit
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.training.batch_norm import reestimate_batch_norm
from fer_perturb.tasks.training.trainer import make_trainer
from fer_perturb.train import train

MOMENTS = (lambda maps: maps.mean(dim=(0, 2, 3)), lambda maps: maps.var(dim=(0, 2, 3)))


def test_the_statistics_are_those_of_the_training_images_and_the_weights_stay(data_directory, tmp_path):
    config = small(data_directory, tmp_path, "scheme=baseline", "recipe.batch_size=25")  # 14 images fill no batch
    chain = Chain(open_experiment(config))
    task = chain.predictor.task()
    first = next(module for module in task.network.modules() if isinstance(module, nn.BatchNorm2d))
    first.running_mean.fill_(5.0)
    weights = {name: value.clone() for name, value in task.named_parameters()}
    random = torch.get_rng_state()
    took = reestimate_batch_norm(
        task, chain.run.data, make_trainer(chain.experiment.trainer, chain.experiment.recipe, tmp_path, None)
    )

    images = to_unit(torch.from_numpy(chain.experiment.data.splits["train"].images[:])).unsqueeze(1)
    with torch.no_grad():
        batches = task.network.conv1(task.normalise(images[:50])).split(25)
    means, variances = (torch.stack([moment(maps) for maps in batches]).mean(dim=0) for moment in MOMENTS)
    torch.testing.assert_close(first.running_mean, means, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(first.running_var, variances, atol=1e-4, rtol=1e-3)
    assert took["images"] == 50
    assert all(torch.equal(value, weights[name]) for name, value in task.named_parameters())
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["perturb", "baseline"])
def test_only_batch_norm_differs_in_a_run_that_asks_for_it(data_directory, tmp_path, scheme):
    runs = [
        train(small(data_directory, tmp_path, f"scheme={scheme}", f"scheme.reestimate_bn={asked}"))
        for asked in ("false", "true")
    ]
    plain, anew = (load_file(run / "predictor" / "weights.safetensors") for run, _ in runs)
    differ = {name.rpartition(".")[2] for name in plain if not torch.equal(plain[name], anew[name])}
    assert {"running_mean", "running_var"} <= differ <= {"running_mean", "running_var", "num_batches_tracked"}
    costs = [summary["phases"]["predictor"]["flops"] for _, summary in runs]
    assert costs[1] > costs[0]
