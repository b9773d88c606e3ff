import pytest
import torch
from composing import composed
from omegaconf import OmegaConf

from fer_perturb.errors import UserError
from fer_perturb.experiment.recipe import Recipe


def recipe(*overrides):
    return Recipe.from_settings(OmegaConf.to_container(composed(*overrides).recipe, resolve=True), (48, 48))


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("recipe.tta=twenty", "recipe.tta"),
        ("recipe.crop=50", "recipe.crop"),
        ("recipe.initial_size=0", "recipe.initial_size"),
        ("recipe.epochs=0", "recipe.epochs"),
        ("recipe.batch_size=0", "recipe.batch_size"),
        ("recipe.mixup=-0.2", "recipe.mixup"),
        ("recipe.mixup=.inf", "recipe.mixup"),
    ],
)
def test_a_value_that_cannot_work_is_named(override, key):
    with pytest.raises(UserError, match=key.replace(".", r"\.")):
        recipe(override)


def test_the_paper_s_training():
    paper = recipe("recipe=paper")
    weights = [torch.nn.Parameter(torch.zeros(2))]
    optimizer = paper.optimizer(weights)
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.defaults["nesterov"]
    assert optimizer.defaults["momentum"] == 0.9
    assert optimizer.defaults["lr"] == 0.01
    scheduler = paper.scheduler(optimizer)
    assert isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
    assert (scheduler.mode, scheduler.factor, scheduler.patience) == ("max", 0.75, 5)
    assert (paper.epochs, paper.crop, paper.tta, paper.batch_size) == (200, 40, "ten", 16)
    assert paper.input_size((48, 48)) == (40, 40)


def test_the_cpu_s_training():
    cpu = recipe("recipe=cpu")
    assert isinstance(cpu.optimizer([torch.nn.Parameter(torch.zeros(2))]), torch.optim.AdamW)
    assert (cpu.epochs, cpu.precision, cpu.channels_last, cpu.tta) == (20, "auto", True, "flip")
    assert cpu.input_size((48, 40)) == (48, 40)


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("recipe.epochs=ten", "recipe.epochs"),
        ("recipe.batch_size=1.5", "recipe.batch_size"),
        ("recipe.channels_last=maybe", "recipe.channels_last"),
        ("+recipe.other=1", "recipe.other"),
        ("~recipe.label_smoothing", "recipe.label_smoothing"),
        ("recipe.augmentation.flip=2", "recipe.augmentation.flip"),
        ("recipe.augmentation.scale=[1.1,0.9]", "recipe.augmentation.scale"),
        ("recipe.augmentation.rotate=far", "recipe.augmentation.rotate"),
        ("recipe.optimizer.lr=-1", "recipe.optimizer"),
        ("recipe.optimizer._target_=torch.optim.Nothing", "recipe.optimizer"),
    ],
)
def test_a_value_of_another_kind_is_named(override, key):
    with pytest.raises(UserError, match=key.replace(".", r"\.")):
        recipe(override)


def test_small_pictures_first():
    sizes = recipe("recipe.initial_size=32", "recipe.epochs=8").training_sizes((48, 48))
    assert sizes == [(32, 32)] * 3 + [(40, 40)] * 3 + [(48, 48)] * 2
    assert recipe("recipe.epochs=3", "recipe.initial_size=null").training_sizes((48, 48)) == [(48, 48)] * 3
    assert recipe("recipe.epochs=3", "recipe.initial_size=32").training_sizes((32, 40)) == [(32, 40)] * 3  # no smaller
    assert recipe("recipe.initial_size=30", "recipe.epochs=1").training_sizes((48, 60)) == [(48, 60)]
    assert recipe("recipe.initial_size=24", "recipe.epochs=4").training_sizes((48, 60))[0] == (24, 30)
    cropped = recipe("recipe=paper", "recipe.initial_size=32", "recipe.epochs=4").training_sizes((48, 48))
    assert cropped == [(32, 32)] * 3 + [(40, 40)]
