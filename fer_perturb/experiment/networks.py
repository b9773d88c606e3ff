"""Which network, and with which initial weights (conf/model, conf/attention_model)."""

import re
from typing import Any, Literal

import torch
from pydantic.dataclasses import dataclass
from torch import nn

from fer_perturb.checked import STRICT, checked
from fer_perturb.errors import UserError
from fer_perturb.experiment.recipe import Recipe
from fer_perturb.models.build import build_network, check_network
from fer_perturb.seeds import derive

Size = tuple[int, int]


@dataclass(frozen=True, config=STRICT)
class NetworkSettings:
    """What `models.build.build_network` makes of a model config."""

    backbone: str
    small_input: bool
    kwargs: dict[str, Any]
    attention_at: list[str]
    """places of spatial gates"""
    group: Literal["model", "attention_model"]
    """of the config; initial weights follow from it, so that those of the predictor and of phase 1 differ"""
    of_model: bool
    """whether all but the gates is what `model` says, where it is to be changed"""

    @property
    def name(self) -> str:
        return short_name(self.backbone)

    def build(self, seed: int, *, classes: int, recipe: Recipe, image_size: Size) -> nn.Module:
        """A network with weights that depend on the seed alone; UserError if it cannot take these images."""
        torch.manual_seed(derive(seed, "weights", self.group))
        size = recipe.input_size(image_size)
        try:
            network = build_network(
                self.backbone,
                num_classes=classes,
                small_input=self.small_input,
                attention_at=self.attention_at,
                kwargs=self.kwargs,
                image_size=size,
            )
            for training_size in {size, *recipe.training_sizes(image_size)}:
                check_network(network, training_size, small_input=self.small_input)
        except UserError as error:  # which names the keys of `model`
            keys = r"\bmodel\.(?=attention\b)" if self.of_model else r"\bmodel\.(?=[a-z])"
            raise UserError(re.sub(keys, f"{self.group}.", str(error))) from error
        return network


def short_name(backbone: str) -> str:
    """A network's own name, without the module that registers it."""
    return backbone.rpartition(":")[2]


def network_settings(settings: dict[str, Any], group: Literal["model", "attention_model"]) -> NetworkSettings:
    """What the group of a resolved config says."""
    own = settings[group]
    values = {key: value for key, value in own.items() if key not in ("attention", "members")}
    of_model = all(own.get(name) == settings["model"].get(name) for name in ("backbone", "small_input", "kwargs"))
    places = list((own.get("attention") or {}).get("at") or [])
    return checked(NetworkSettings, {**values, "attention_at": places, "group": group, "of_model": of_model}, group)
