"""The training step, from uint8 images to the loss, is one graph for torch.compile.

Without `task.log`, Lightning's own code, which is called after the loss and would be a break of its own.
"""

import pytest
import torch
from stepping import ready

from fer_perturb.errors import UserError

pytestmark = pytest.mark.slow

SCHEMES = [
    ["scheme=baseline", "recipe.initial_size=32"],
    ["scheme/regions=batch", "scheme/views=all", "recipe.mixup=0.2"],
    [
        "scheme=moved_maps",
        "scheme/regions=image",
        "scheme/views=sample",
        "recipe.crop=40",
        "recipe.augmentation.erase=0.5",
    ],
]


@pytest.fixture(autouse=True)
def nothing_compiled_before():
    torch._dynamo.reset()


@pytest.mark.parametrize("scheme", SCHEMES, ids=" ".join)
def test_nothing_breaks_the_graph(data_directory, tmp_path, scheme):
    task, batch = ready(data_directory, tmp_path, *scheme, "recipe.batch_size=8")
    explained = torch._dynamo.explain(task.training_step)(batch, 0)
    assert explained.graph_break_count == 0, [found.reason for found in explained.break_reasons]
    assert explained.graph_count == 1


def test_a_value_that_is_read_breaks_the_graph():
    """What the test above would find."""
    explained = torch._dynamo.explain(lambda images: images.sum() if (images > 0).all() else images)(torch.ones(3))
    assert explained.graph_break_count == 1


def test_compiled_it_learns_the_same(data_directory, tmp_path):
    task, batch = ready(data_directory, tmp_path, *SCHEMES[-1], "recipe.batch_size=8")
    weights = list(task.network.parameters())
    compiled = torch.compile(task.training_step, backend="aot_eager", fullgraph=True)
    results = []
    for step in (task.training_step, compiled):
        task.on_train_batch_start(batch, 0)
        loss = step(batch, 0)
        results.append((loss.detach(), *torch.autograd.grad(loss, weights)))
    torch.testing.assert_close(*results)
    assert max(gradient.abs().max() for gradient in results[0][1:]) > 0.01


def test_the_network_alone_is_compiled_and_in_training_alone(data_directory, tmp_path, monkeypatch):
    asked, compile_ = [], torch.compile

    def compiled(network, mode):
        asked.append(mode)
        return compile_(network, backend=lambda graph, inputs: asked.append("a graph") or graph.forward)

    monkeypatch.setattr(torch, "compile", compiled)
    plain, batch = ready(data_directory, tmp_path, "scheme=baseline", "recipe.batch_size=8")
    task, _ = ready(data_directory, tmp_path, "scheme=baseline", "recipe.batch_size=8", "recipe.compile=default")
    assert task.state_dict().keys() == plain.state_dict().keys()
    assert torch.equal(task.eval()(batch["image"] / 255), plain.eval()(batch["image"] / 255))
    assert asked == ["default"]  # nothing was traced
    losses = []
    for one in (plain.train(), task.train()):
        one.on_train_batch_start(batch, 0)
        losses.append(one.training_step(batch, 0))
    assert asked == ["default", "a graph"]
    torch.testing.assert_close(*losses)


def test_what_cannot_be_compiled_is_said(data_directory, tmp_path, monkeypatch):
    def broken(graph, inputs):
        raise OSError("no compiler is there")

    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda network, mode: compile_(network, backend=broken))
    task, batch = ready(data_directory, tmp_path, "scheme=baseline", "recipe.compile=reduce-overhead")
    with pytest.raises(UserError, match=r"recipe\.compile=reduce-overhead: .*no compiler is there"):
        task.training_step(batch, 0)
