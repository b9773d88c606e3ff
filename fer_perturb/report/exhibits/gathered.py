"""All tables and figures that some runs can fill, of whatever sweeps they are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from fer_perturb.report.exhibits.axes import figure5, hidden_share
from fer_perturb.report.exhibits.classes import figure3
from fer_perturb.report.exhibits.clusters import cluster_epochs, figure4
from fer_perturb.report.exhibits.exhibit import Exhibit, Tabled
from fer_perturb.report.exhibits.gains import table2_of
from fer_perturb.report.exhibits.grids import budgets_of, controls
from fer_perturb.report.exhibits.hidden import feature_removal, occlusion_curve
from fer_perturb.report.exhibits.judging import UNREADABLE, by, one_a_seed
from fer_perturb.report.exhibits.masks import table1_of
from fer_perturb.report.saliency.exhibit import looked_at
from fer_perturb.report.settings import Run, named_settings

Groups = Mapping[str, Sequence[Run]]

TESTED_MORE = {"table1", "saliency", "occlusion_curve", "feature_removal"}  # about what else runs were tested on
OF_ALL: dict[str, Callable[[Groups], Exhibit | None]] = {  # one for all runs; the paper's even without any
    "table1": partial(table1_of, always=True),
    "table2": partial(table2_of, always=True),
    "figure3": lambda groups: figure3([run for runs in groups.values() for run in runs]),
    "saliency": lambda groups: looked_at([run for runs in groups.values() for run in runs]),
    "budgets": budgets_of,
}
OF_EACH: dict[str, Tabled] = {  # one for the runs of each data and recipe
    "figure4": figure4,
    "figure5": figure5,
    "controls": controls,
    "hidden_share": hidden_share,
    "occlusion_curve": occlusion_curve,
    "clusters": cluster_epochs,
}
OF_A_NETWORK: dict[str, Tabled] = {"feature_removal": feature_removal}


def tables_of(runs: Sequence[Run]) -> tuple[dict[str, Exhibit], list[str]]:
    """Exhibits by their names, `controls` and where there are several `controls-2`; and a sentence on each that failed.

    The paper's tables stand there whether or not runs fill them: their cells say which command would.
    """
    groups = named_settings(runs)
    found: dict[str, Exhibit] = {}
    told: list[str] = []
    for name, make, given in _asked(groups):
        try:
            exhibit = make()
        except UNREADABLE as error:
            told.append(f"{name} of {given} cannot be made: {' '.join(str(error).split())}")
            continue
        if exhibit is not None:
            place = next(key for key in _numbered(name) if key not in found)
            title = f"{exhibit.title}: {given}" if given else exhibit.title
            found[place] = Exhibit(title, exhibit.tables, exhibit.figure)
    return found, told


def _asked(groups: Groups) -> Iterator[tuple[str, Callable[[], Exhibit | None], str]]:
    """Name, what makes it, and of which runs, as words."""
    once = {label: one_a_seed(runs) for label, runs in groups.items()}
    for name, of_all in OF_ALL.items():
        given = groups if name in TESTED_MORE else once
        yield name, partial(of_all, given), ""
    for name, of_each in OF_EACH.items():
        for label, runs in (groups if name in TESTED_MORE else once).items():
            yield name, partial(of_each, runs), label
    for name, of_network in OF_A_NETWORK.items():
        for label, runs in groups.items():
            for model, of in by(runs, "model").items():
                yield name, partial(of_network, of), f"{label}, {model}"


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 1
    while True:
        number += 1
        yield f"{name}-{number}"
