"""The project's workspace and report at wandb, made with wandb-workspaces (a public preview).

Both show the same sections. Of a chain they look at the predictor's run, which has its scores.
"""

from dataclasses import dataclass
from typing import Any

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

from fer_perturb.data.emotions import EMOTIONS

TITLE = "Perturb Scheme"
SCHEME = "scheme.name"  # keys of a run's config
EITHER = ("baseline", "perturb")


@dataclass(frozen=True)
class Shown:
    """A section: its title, what is to be seen, its panels, and the schemes that it is about (none: all)."""

    title: str
    says: str
    panels: list[Any]
    schemes: tuple[str, ...] = ()


def workspace(project: str, entity: str) -> Any:
    """A `wandb_workspaces.workspaces.Workspace`, not yet saved."""
    found = sections()
    return ws.Workspace(
        entity=entity,
        project=project,
        name=TITLE,
        sections=[ws.Section(name=of.title, panels=of.panels, is_open=True) for of in found],
        settings=ws.WorkspaceSettings(x_axis="epoch", max_runs=100),
        runset_settings=ws.RunsetSettings(
            filters=_filters(()),
            groupby=[ws.Config(SCHEME)],
            pinned_columns=["run:displayName", "summary:test/accuracy", "summary:test/balanced_accuracy"],
        ),
    )


def report(project: str, entity: str) -> Any:
    """A `wandb_workspaces.reports.v2.Report`, not yet saved."""
    blocks: list[Any] = [wr.TableOfContents()]
    for of in sections():
        # no entity, no project: the report's own
        runs = wr.Runset(name=of.title, filters=_filters(of.schemes), groupby=[f"config.{SCHEME}"])
        blocks += [wr.H1(of.title), wr.P(of.says), wr.PanelGrid(runsets=[runs], panels=of.panels)]
    description = "Does hiding facial features while training make a network recognise emotions better?"
    return wr.Report(project=project, entity=entity, title=TITLE, description=description, blocks=blocks, width="fluid")


def _filters(schemes: tuple[str, ...]) -> Any:
    """Of finished predictors alone, and of some schemes. Nested keys are named, and compared, as wandb's own pages do:
    `==` finds nothing there."""
    own = [ws.Metric("JobType").isin(["predictor"]), ws.Metric("State").isin(["finished"])]
    of = [ws.Config(SCHEME.replace(".", ".value.", 1)).isin(list(schemes))] if schemes else []
    return ws.And(*own, *of)


def sections() -> list[Shown]:
    """What there is to see of a project."""
    return [_overview(), _against_the_baseline(), _controls(), _clusters(), _classes()]


def _overview() -> Shown:
    columns = [
        *(wr.Config(key) for key in ("about.sweep", "dataset.name", "model.backbone", SCHEME, "recipe.name", "seed")),
        *(wr.SummaryMetric(key) for key in ("val_tested/accuracy", "test/accuracy")),
    ]
    return Shown(
        "Sweep overview",
        "Every finished predictor: what was chosen, and what it reached. val chose the epoch; the test split is read "
        "once.",
        [
            wr.ParallelCoordinatesPlot(columns=[wr.ParallelCoordinatesPlotColumn(metric=of) for of in columns]),
            wr.LinePlot(title="Accuracy on val", x="epoch", y=["val/accuracy"], groupby=wr.Config(SCHEME)),
            wr.LinePlot(title="Loss in training", x="epoch", y=["train/loss"], groupby=wr.Config(SCHEME)),
        ],
    )


def _against_the_baseline() -> Shown:
    return Shown(
        "Baseline against Perturb, by seed",
        "The same network and recipe with and without the scheme. Seeds differ by more than schemes often do, so look "
        "at the pairs. The scheme is judged over its views, and by the image alone.",
        [
            wr.ScatterPlot(title="By seed", x=wr.Config("seed"), y=wr.SummaryMetric("test/accuracy")),
            _bars("Accuracy", ["test/accuracy", "test/balanced_accuracy"]),
            _bars("By the image alone, and over views", ["test_original/accuracy", "test_views/accuracy"]),
        ],
        EITHER,
    )


def _controls() -> Shown:
    return Shown(
        "Controls",
        "Each control differs from Perturb in one thing. A gain counts as the scheme's only where they do not show it.",
        [_bars("Accuracy on test", ["test/accuracy"]), _bars("F1, mean over classes", ["test/f1_macro"])],
    )


def _clusters() -> Shown:
    def lines(title: str, *names: str) -> Any:
        return wr.LinePlot(title=title, x="epoch", y=[f"clusters/{name}" for name in names])

    return Shown(
        "Clusters over epochs",
        "How much of the image each cluster covers, how far the clusters are those of position alone (adjusted Rand "
        "index, 1 = the same), and how many pixels change theirs; below, what is hidden of a few faces.",
        [
            wr.LinePlot(title="Areas", x="epoch", metric_regex="clusters/area_.*"),
            lines("Agreement with position alone", "ari_position_only"),
            lines("Pixels that changed their cluster", "changed"),
            lines("Inertia", "inertia"),
            wr.MediaBrowser(title="Attention, clusters and views", media_keys=["scheme"], num_columns=2),
        ],
    )


def _classes() -> Shown:
    names = [f"test_by_class/{name}" for name in EMOTIONS]
    return Shown(
        "Changes by class",
        "What the scheme changes on each emotion, which a mean can hide.",
        [
            _bars("Accuracy on each class", names),
            wr.MediaBrowser(title="Confusion", media_keys=["confusion"], num_columns=2),
        ],
        EITHER,
    )


def _bars(title: str, metrics: list[str]) -> Any:
    """Means over the runs of each scheme, and how far these differ."""
    return wr.BarPlot(
        title=title, metrics=metrics, groupby=wr.Config(SCHEME), groupby_aggfunc="mean", groupby_rangefunc="minmax"
    )
