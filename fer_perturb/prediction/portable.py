"""A finished run without its training data: all that judging a new face needs."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor
from yaml import YAMLError

from fer_perturb.data.packed import PackedData
from fer_perturb.data.packed.format import MANIFEST
from fer_perturb.data.packed.split import Split
from fer_perturb.errors import UserError
from fer_perturb.experiment.identity import Settings
from fer_perturb.runs.run_directory import read_settings, read_summary
from fer_perturb.schemes.regions.displaced import Displaced
from fer_perturb.schemes.scheme import Scheme, scheme_from
from fer_perturb.tasks.chain import Chain
from fer_perturb.tasks.phases.predictor import Predictor
from fer_perturb.tasks.phases.sight import RunAttention
from fer_perturb.tasks.phases.trained import WEIGHTS
from fer_perturb.tasks.trained_run import as_it_was
from fer_perturb.tasks.training.classifier import Classifier

FORMAT = "fer_perturb 1"
ONE_CPU = {
    "accelerator": "cpu",
    "devices": 1,
    "strategy": "auto",
    "enable_progress_bar": False,
    "limit_train_batches": 1.0,
    "limit_val_batches": 1.0,
}


@dataclass(frozen=True)
class Portable:
    """Settings and weights of a run. predictor, attention: the state of phase 3's classifier, and of phase 1's."""

    what: str
    """run=<directory or file>, for sentences"""
    settings: Settings
    summary: dict[str, Any]
    classes: tuple[str, ...]
    image_size: tuple[int, int]
    """(H, W) in pixels"""
    predictor: dict[str, Tensor]
    attention: dict[str, Tensor] | None

    def classifier(self) -> Classifier:
        """The trained predictor in evaluation mode, on the CPU, in float32.

        Raises UserError for settings of another version, and for a scheme whose views of a new face do not follow from
        the face alone.
        """
        settings = {
            **self.settings,
            "trainer": ONE_CPU,
            "test_on": [],
            "dataset": {**self.settings["dataset"], "clean": False},
            "recipe": {**self.settings["recipe"], "precision": "32-true"},
        }
        _refuse_foreign_maps(scheme_from(settings["scheme"]), self.what)
        chain = Chain(as_it_was(settings, self._remembered(), self.what, self.summary.get("commit")))
        frozen = None
        if chain.attention and self.attention is not None:
            frozen = chain.attention.classifier()
            frozen.load_state_dict(self.attention)
            frozen.requires_grad_(False).eval()
        task = chain.predictor.task(RunAttention(chain.experiment.scheme.attention, chain.run.data, frozen, None))
        task.load_state_dict(self.predictor)
        if isinstance(task, Predictor):
            task.fill = task.view_choice.fill_value(float(task.mean))
        return task.requires_grad_(False).eval()

    @property
    def name(self) -> str:
        """<dataset>-<model>-<scheme>-seed<k>, with no part that a file's name cannot have."""
        parts = (self.summary[key] for key in ("dataset", "model", "scheme"))
        return re.sub(r"[^\w+@.-]", "_", "-".join([*map(str, parts), f"seed{self.summary['seed']}"]))

    def as_tensors(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """What `portable` reads from a safetensors file: its tensors and its metadata. No path of this machine."""
        states = {"predictor": self.predictor, "attention": self.attention or {}}
        tensors = {f"{of}.{name}": value for of, state in states.items() for name, value in state.items()}
        settings = {**self.settings, "paths": {"data": "data", "outputs": "outputs"}}
        told = {"settings": settings, "summary": self.summary, "classes": self.classes, "image_size": self.image_size}
        return tensors, {"format": FORMAT, "run": json.dumps(told)}

    def _remembered(self) -> PackedData:
        """The training data as far as a trained network needs them: name, classes and size.

        One black image stands in the place of theirs, whose mean and deviation come with the weights.
        """
        black = Split(np.zeros((1, *self.image_size), dtype=np.uint8), np.zeros(1, dtype=np.uint8), ["black"])
        splits = dict.fromkeys(("train", "val", "test"), black)
        manifest = {"image_size": list(self.image_size), "arrays": {}}
        return PackedData(Path(self.what), str(self.settings["dataset"]["name"]), self.classes, splits, manifest)


def portable(run: Path) -> Portable:
    """Reads the directory of a finished run, or the file that format=safetensors made of it.

    Raises UserError, naming run=, where it holds none, a damaged one or an ensemble.
    """
    what = f"run={run}"
    if run.is_file():
        return _of_file(run, what)
    summary = read_summary(run, "run")
    if members := summary.get("members"):
        raise UserError(f"{what} is a mean of runs ({', '.join(members)}). Expected one of them.")
    try:
        settings = read_settings(run)
        classes = json.loads((run / "predictor" / "content.json").read_text())["data"]["classes"]
        predictor = load_file(run / "predictor" / WEIGHTS)
        file = run / "attention" / WEIGHTS
        attention = load_file(file) if file.is_file() else None
    except (OSError, ValueError, KeyError, TypeError, YAMLError) as error:
        told = str(error).splitlines()[0]
        raise UserError(f"{what} cannot be read ({told}). The command that trained it mends it.") from error
    size = summary.get("image_size") or _size_of_data(settings, what)
    return Portable(what, settings, summary, tuple(classes), (size[0], size[1]), predictor, attention)


def _of_file(file: Path, what: str) -> Portable:
    states: dict[str, dict[str, Tensor]] = {"predictor": {}, "attention": {}}
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            names = opened.keys()
            for name in names:
                of, _, inner = name.partition(".")
                states[of][inner] = opened.get_tensor(name)
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')}, expected {FORMAT}")
        told = json.loads(metadata["run"])
        height, width = told["image_size"]
        settings, summary, classes = told["settings"], told["summary"], tuple(told["classes"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{what} cannot be read ({str(error).splitlines()[0]}). Expected the directory of a finished run, or what "
            "python -m fer_perturb.export format=safetensors made of one."
        ) from error
    attention = states["attention"] or None
    return Portable(what, settings, summary, classes, (height, width), states["predictor"], attention)


def _size_of_data(settings: Settings, what: str) -> list[int]:
    """Older summaries do not say it, so that it is their data's."""
    root = Path(settings["paths"]["data"], str(settings["dataset"]["name"]))
    try:
        size: list[int] = json.loads((root / MANIFEST).read_text())["image_size"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{what} is of an older version, which did not write down how large its images are, and its data are not "
            f"at {root} any more. Bring them back there, or train it again."
        ) from error
    return size


def _refuse_foreign_maps(scheme: Scheme, what: str) -> None:
    regions, needs = scheme.regions, None
    if regions is not None and regions.needs_landmarks:
        needs = "a face's landmarks"
    elif isinstance(regions, Displaced) and regions.of_each_image:
        needs = "the maps of its training images"
    if needs:
        raise UserError(
            f"{what}: its scheme ({scheme.name}) hides by {needs}, which a picture alone does not bring. Expected a "
            "run of another scheme, such as baseline or perturb."
        )
