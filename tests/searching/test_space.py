"""What is searched, as a config says it, and what is typed for a point of it."""

import shlex

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from fer_perturb.errors import UserError
from fer_perturb.searching.space import command, distributions, lowest, overrides

SPACE = {
    "scheme/views": ["sample", "all"],
    "recipe": {
        "optimizer": {"lr": {"low": 0.001, "high": 0.1, "log": True}},
        "epochs": {"low": 5, "high": 20, "step": 5},
        "crop": [None, 40],
        "channels_last": [True, False],
    },
}


def test_keys_stand_where_they_stand_in_the_config() -> None:
    assert distributions(SPACE, fixed=()) == {
        "scheme/views": CategoricalDistribution(("sample", "all")),
        "recipe.optimizer.lr": FloatDistribution(0.001, 0.1, log=True),
        "recipe.epochs": IntDistribution(5, 20, step=5),
        "recipe.crop": CategoricalDistribution((None, 40)),
        "recipe.channels_last": CategoricalDistribution((True, False)),
    }
    assert set(distributions(SPACE, fixed=("recipe.epochs", "recipe.crop", "seed"))) == {
        "scheme/views", "recipe.optimizer.lr", "recipe.channels_last"
    }  # fmt: skip


def test_a_point_is_typed_as_hydra_reads_it() -> None:
    point = lowest(distributions(SPACE, fixed=()))
    words = ["scheme/views=sample", "recipe.optimizer.lr=0.001", "recipe.epochs=5", "recipe.crop=null",
             "recipe.channels_last=true"]  # fmt: skip
    assert overrides(point) == words
    assert shlex.split(command(["source='a b.zip'", *words])) == [
        "python", "-m", "fer_perturb.train", "source='a b.zip'", *words
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({}, "search.space has no key that is not set already"),
        ({"seed": 3}, "search.space.seed=3: expected a list of choices, or"),
        ({"recipe": {"lr": {"low": 1}}}, r"search.space.recipe.lr=\{'low': 1\}: expected .* \('high'\)"),
        ({"lr": {"low": 1.0, "high": 0.5}}, "search.space.lr=.*: expected"),
        ({"lr": {"low": 0.0, "high": 0.5, "log": True}}, "search.space.lr=.*: expected"),
        ({"lr": {"low": 0.1, "high": 0.5, "base": 2}}, "it has no base"),
        ({"lr": {"low": "a", "high": "b"}}, "search.space.lr=.*: expected"),
        ({"lr": []}, "search.space.lr=.*: expected"),
    ],
)
def test_what_is_no_space_is_said(space: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        distributions(space, fixed=())
