import pytest
import torch
from torch import nn

from fer_perturb.errors import UserError
from fer_perturb.models.build import build_network, check_network
from fer_perturb.models.gates import GatedNetwork


@pytest.mark.parametrize("at", [[], ["input", "stage2"]])
@pytest.mark.parametrize("classes", [2, 11])
def test_one_grey_channel_and_any_number_of_classes(classes: int, at: list[str]) -> None:
    network = build_network("test_resnet", num_classes=classes, attention_at=at)
    assert isinstance(network, GatedNetwork) == bool(at)
    assert network(torch.rand(3, 1, 64, 80)).shape == (3, classes)


def test_kwargs_reach_the_network() -> None:
    network = build_network("resnet_tiny", num_classes=7, kwargs={"drop_rate": 0.25})
    assert network.drop_rate == 0.25


def test_the_same_seed_gives_the_same_weights() -> None:
    def weights(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(seed)
        network = build_network("resnet_tiny", num_classes=7, small_input=True, attention_at=["input"])
        return list(network.parameters())

    first, second, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize(
    ("name", "near"),
    [("resnet_smal", "resnet_small"), ("convnext_ato", "convnext_atto"), ("resnet18.a1_in1k_", None)],
)
def test_an_unknown_name_is_answered_with_near_ones(name: str, near: str | None) -> None:
    if near is None:
        with pytest.raises(UserError, match=r"model\.backbone: resnet18\.a1_in1k_ cannot be built"):
            build_network(name, num_classes=7)
    else:
        with pytest.raises(UserError, match=rf"timm has no network '{name}'\. Near names: .*{near}"):
            build_network(name, num_classes=7)


def test_a_name_that_resembles_nothing() -> None:
    with pytest.raises(UserError, match="No name comes near"):
        build_network("@@@@", num_classes=7)


def test_arguments_that_the_network_does_not_take() -> None:
    with pytest.raises(UserError, match=r"resnet_tiny cannot be built with .*colour='grey'.*model\.kwargs"):
        build_network("resnet_tiny", num_classes=7, kwargs={"colour": "grey"})


@pytest.mark.parametrize("size", [(48, 48), (40, 40), (64, 48)])
@pytest.mark.parametrize("at", [[], ["input", "stage1"]])
def test_check_passes_and_changes_nothing(size: tuple[int, int], at: list[str]) -> None:
    network = build_network("resnet_tiny", num_classes=7, attention_at=at, kwargs={"drop_rate": 0.5})
    next(iter(network.children())).eval()
    modes = [module.training for module in network.modules()]
    state = {key: value.clone() for key, value in network.state_dict().items()}
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    check_network(network, size)
    assert torch.equal(torch.rand(2), expected)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_check_names_the_network_and_the_size() -> None:
    network = build_network("test_vit", num_classes=7)
    with pytest.raises(UserError, match=r"test_vit does not take grey pictures of 48x40 .*small_input=true"):
        check_network(network, (48, 40))
    assert all(module.training for module in network.modules())


def test_check_finds_gates_that_cannot_work() -> None:
    network = build_network("test_vit", num_classes=7, small_input=True, attention_at=["stage1"])
    with pytest.raises(UserError, match=r"no spatial gate can follow 'stage1' of test_vit"):
        check_network(network, (48, 48))


def test_check_finds_a_network_that_does_not_classify() -> None:
    network = build_network("test_resnet", num_classes=7, kwargs={"features_only": True})
    with pytest.raises(UserError, match=r"gives a list for two pictures where logits \(2, classes\)"):
        check_network(network, (48, 48))
    network = build_network("test_resnet", num_classes=0, kwargs={"global_pool": ""})
    with pytest.raises(UserError, match=r"gives a \(2, \d+, 2, 2\) tensor"):
        check_network(network, (48, 48))


def test_check_finds_logits_that_are_not_finite() -> None:
    network = build_network("resnet_tiny", num_classes=7)
    with torch.no_grad():
        nn.init.constant_(network.fc.weight, torch.nan)
    with pytest.raises(UserError, match="logits that are not finite for pictures of 48x48"):
        check_network(network, (48, 48))
