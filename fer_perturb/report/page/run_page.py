"""What the page of a run shows: its scores, confusion, mistakes, views, clusters, curves and pictures."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fer_perturb.analysis.collected import FoundRun
from fer_perturb.analysis.metrics import confusion, measured, scores
from fer_perturb.analysis.predictions import Predictions, read_predictions
from fer_perturb.errors import UserError, first_line
from fer_perturb.report.page.curves import Curve, curves_of
from fer_perturb.report.page.dataset import Faces
from fer_perturb.report.page.pictures import Pictures

MISTAKES = 8  # of a run, the surest ones
BELIEVABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError)  # of files that are not as expected
Made = TypeVar("Made")


@dataclass(frozen=True)
class Mistake:
    """A test image: its label, what it was taken for, how surely (share); picture: a data URI, if it may be shown."""

    name: str
    label: str
    answer: str
    confidence: float
    picture: str | None


@dataclass
class RunPage:
    """id: the anchor. told: a sentence on each part that cannot be shown. What a run has nothing of is empty."""

    id: str
    run: FoundRun
    classes: tuple[str, ...] = ()
    measures: dict[str, float] = field(default_factory=dict)
    per_class: dict[str, dict[str, Any]] = field(default_factory=dict)
    matrix: list[list[int]] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    by_view: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    clusters: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    @property
    def summary(self) -> dict[str, Any]:
        return self.run.summary

    @property
    def title(self) -> str:
        return f"{self.summary['scheme']}, seed {self.summary['seed']}"

    def score(self, split: str, name: str) -> float | None:
        """A score of its summary, as a share; None where the run has none."""
        found = (self.summary.get(split) or {}).get(name)
        return float(found) if isinstance(found, int | float) else None

    @property
    def command(self) -> str:
        """What tests this very run again."""
        return f"python -m fer_perturb.evaluate run={self.run.directory}"


def run_page(number: int, run: FoundRun, pictures: Pictures, faces: Faces) -> RunPage:
    """The page of a run; what of it is damaged or missing is told in a sentence, and the rest is shown."""
    page = RunPage(f"run-{number}", run)
    predicted = _part(page, "Confusion, mistakes and calibration", lambda: _predicted(run))
    if predicted is not None:
        _part(page, "Scores", lambda: _judge(page, predicted))
        _part(page, "The surest mistakes", lambda: _mistakes(page, predicted, pictures, faces))
        _part(page, "What each view reaches", lambda: _views(page))
    _part(page, "The curves of training", lambda: page.curves.update(curves_of(run.directory)))
    _part(page, "Clusters over epochs", lambda: page.clusters.extend(_clusters(run.directory)))
    _part(page, "The pictures", lambda: page.pictures.update(pictures.of(run)))
    return page


def _part(page: RunPage, what: str, make: Callable[[], Made]) -> Made | None:
    try:
        return make()
    except UserError as error:
        page.told.append(f"{what}: {error}")
    except BELIEVABLE as error:
        page.told.append(f"{what} cannot be shown: {first_line(error)}")
    return None


def _file(run: FoundRun) -> Path:
    return run.directory / "predictions" / f"{run.summary['dataset']}.parquet"


def _predicted(run: FoundRun) -> Predictions:
    path, of = _file(run), run.summary
    if not path.is_file():
        raise UserError(f"{path} is missing. The command that trained it mends it.")
    found = read_predictions(path, split="test", inference=of["inference"], tta=of["tta"])
    if found is None:
        raise UserError(f"{path} has no predictions of the test split.")
    return found


def _judge(page: RunPage, predicted: Predictions) -> None:
    page.classes = predicted.classes
    page.matrix = confusion(predicted).tolist()
    page.per_class = scores(predicted)["per_class"]
    page.measures = measured(predicted)


def _mistakes(page: RunPage, predicted: Predictions, pictures: Pictures, faces: Faces) -> None:
    shares = predicted.logits.double().softmax(dim=1)
    confidence, answers = (of.numpy() for of in shares.max(dim=1))
    labels = predicted.labels.numpy()
    wrong = np.flatnonzero(answers != labels)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    shown = faces.of(page.run, predicted.sha256[surest]) if pictures.may_show(page.run) else {}
    for row in surest:
        image = shown.get(bytes(predicted.sha256[row]))
        page.mistakes.append(
            Mistake(
                str(predicted.names[row]),
                predicted.classes[labels[row]],
                predicted.classes[answers[row]],
                float(confidence[row]),
                pictures.face(image) if image is not None else None,
            )
        )


def _views(page: RunPage) -> None:
    """Accuracy by the image alone, over the views, and in each of them."""
    for name, key in (("image alone", "test_original"), ("mean over the views", "test_views")):
        if of := page.summary.get(key):
            page.by_view[name] = of["accuracy"]
    if page.summary.get("test_views"):
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        asked = (pc.field("split") == "test") & (pc.field("view") >= 0)
        columns = ["view", "label", *(f"logit_{name}" for name in page.classes)]
        table = pq.read_table(_file(page.run), columns=columns, filters=asked)
        logits = np.stack([table[name].to_numpy() for name in columns[2:]], axis=1)
        right = logits.argmax(axis=1) == table["label"].to_numpy()
        views = table["view"].to_numpy()
        found: Sequence[int] = np.unique(views).tolist()
        for view in found:
            name = f"without cluster {view + 1}" if view < len(found) - 1 else "the whole image, as a view"
            page.by_view[name] = float(right[views == view].mean())


def _clusters(run: Path) -> list[dict[str, Any]]:
    """A row a re-clustering: epoch, areas of the clusters, and how near they are to position alone, where known."""
    record = run / "predictor" / "phase.json"
    history = json.loads(record.read_text()).get("clusters", []) if record.is_file() else []
    return [
        {"epoch": int(of["epoch"]), "areas": [float(area) for area in of["areas"]], "near": of.get("ari_position_only")}
        for of in history
    ]


def shares_of(matrix: list[list[int]]) -> list[list[float | None]]:
    """Of each row, what share of it each column is; None where there are no images."""
    counts: NDArray[np.int64] = np.array(matrix)
    return [[of / row.sum() if row.sum() else None for of in row.tolist()] for row in counts]
