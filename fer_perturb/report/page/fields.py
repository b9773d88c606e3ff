"""Which runs may be compared: fields of settings, and settings of seeds."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from fer_perturb.analysis.collected import FoundRun
from fer_perturb.experiment.identity import comparable
from fer_perturb.files import canonical
from fer_perturb.report.page.dataset import is_drawn

BASELINE = "baseline"
UNSET = "null"
PERTURB = ("perturb", "perturb_author", "perturb_image")  # the scheme and its variants; all others are controls


@dataclass(frozen=True, eq=False)
class Setting:
    """Runs that differ in their seed alone, in its order. name: the scheme's, with what tells it from others."""

    name: str
    scheme: str
    runs: tuple[FoundRun, ...]

    @property
    def seeds(self) -> set[int]:
        return {int(run.summary["seed"]) for run in self.runs}

    @property
    def dataset(self) -> str:
        """What it was trained on, which may be occluded."""
        return str(self.runs[0].summary["dataset"])

    @property
    def inference(self) -> str:
        """The reading that its scheme asks for."""
        return str(self.runs[0].summary["inference"])


@dataclass(frozen=True, eq=False)
class Field:
    """Settings that may stand beside each other: they share data, network and recipe, and spend what they spend."""

    dataset: str
    model: str
    recipe: str
    settings: tuple[Setting, ...]
    differing: str = ""
    """what tells it from others of its data, network and recipe"""

    @property
    def name(self) -> str:
        return f"{self.model} on {self.dataset}, recipe {self.recipe}{self.differing}"

    @cached_property
    def drawn(self) -> bool:
        """Whether its faces are drawn, and no person's."""
        return is_drawn(self.settings[0].runs[0].settings)

    def of(self, *schemes: str) -> list[Setting]:
        """The settings of those schemes."""
        return [setting for setting in self.settings if setting.scheme in schemes]


def fields(runs: Sequence[FoundRun]) -> tuple[list[Field], list[str]]:
    """All fields, those of pictures of people first, then the larger ones; and a sentence on each run left out."""
    grouped: dict[str, dict[str, list[FoundRun]]] = {}
    told = []
    for run in runs:
        try:
            of_field, of_setting = _keys(run)
        except (KeyError, TypeError, AttributeError) as error:
            told.append(f"{run.directory}: its settings are of another version ({error}). It is in no comparison.")
            continue
        grouped.setdefault(of_field, {}).setdefault(of_setting, []).append(run)
    shared = {key: _flat(json.loads(key)) for key in grouped}
    found = []
    for key, settings in grouped.items():
        field = _field(settings, told)
        same = [of for of in shared.values() if _network(of) == _network(shared[key])]
        known = {name for of in same for name in of}
        names = sorted(name for name in known if len({str(of.get(name, UNSET)) for of in same}) > 1)
        words = "".join(f", {name}={_shown(shared[key].get(name, UNSET))}" for name in names)
        found.append(replace(field, differing=words))
    return sorted(found, key=lambda field: (field.drawn, -sum(len(of.runs) for of in field.settings))), told


def _network(shared: dict[str, Any]) -> tuple[Any, ...]:
    """Data, network and recipe of what the runs of a field share."""
    return shared["data"], shared.get("model.backbone"), shared["recipe.name"]


def _keys(run: FoundRun) -> tuple[str, str]:
    """What the runs of a field share, and those of a setting, as JSON.

    Epochs tell settings apart, not fields: what each spends is part of a comparison (`Contrast`).
    """
    shared, scheme = comparable({**run.settings, "budget": "any"})
    of = run.settings
    trained_on = {key: value for key, value in of["dataset"].items() if key not in ("reader", "maker")}
    own = {"dataset": trained_on, "epochs": of["recipe"]["epochs"], "budget": of["budget"]}
    setting = {**own, "scheme": scheme, "phase 1": of["attention_model"]}
    return canonical(_said(json.loads(shared))), canonical(_said(setting))


def _said(settings: Any) -> Any:
    """Without keys that are null: older runs, whose code did not have them yet, do not say so."""
    if not isinstance(settings, dict):
        return settings
    return {key: _said(value) for key, value in settings.items() if value is not None}


def _field(settings: dict[str, list[FoundRun]], told: list[str]) -> Field:
    distinct = {key: _flat(json.loads(key)) for key in settings}
    made = []
    for key, runs in settings.items():
        scheme = runs[0].summary["scheme"]
        others = [distinct[other] for other, of in settings.items() if of[0].summary["scheme"] == scheme]
        differing = [name for name in distinct[key] if any(of.get(name, UNSET) != distinct[key][name] for of in others)]
        words = [f"{name}={_shown(distinct[key][name])}" for name in differing if not name.startswith("phase 1.")]
        made.append(Setting(", ".join([scheme, *words]), scheme, _one_a_seed(runs, told)))
    first = made[0].runs[0]
    order = sorted(made, key=lambda setting: (setting.scheme != BASELINE, setting.scheme not in PERTURB, setting.name))
    return Field(first.summary["dataset"].partition("+")[0], first.summary["model"], first.reached["recipe"], (*order,))


def _one_a_seed(runs: Sequence[FoundRun], told: list[str]) -> tuple[FoundRun, ...]:
    by_seed: dict[int, FoundRun] = {}
    for run in runs:
        first = by_seed.setdefault(run.summary["seed"], run)
        if first is not run and first.reached.get("phases.predictor.key") != run.reached.get("phases.predictor.key"):
            told.append(
                f"{run.directory} has the setting and the seed of {first.directory}, of other data or another version "
                "of the code. It is in no comparison."
            )
    return tuple(by_seed[seed] for seed in sorted(by_seed))


def _flat(settings: dict[str, Any], under: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{under}{key}.")
        else:
            found[f"{under}{key}".removeprefix("scheme.")] = value
    return found


def _shown(value: Any) -> str:
    return value.rpartition(".")[2] if isinstance(value, str) else json.dumps(value)
