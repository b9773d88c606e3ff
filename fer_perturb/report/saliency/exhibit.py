"""What of the paper's Figures 1 and 6 those runs can fill that were looked at (python -m fer_perturb.look)."""

from collections.abc import Iterator, Sequence

from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.saliency.figures import face_figure, mean_figure
from fer_perturb.report.saliency.pages import IN_FIGURES, in_order, may_show
from fer_perturb.report.saliency.tables import density_table, seed_table, sentence_table
from fer_perturb.report.settings import Run
from fer_perturb.saliency.comparing import comparisons
from fer_perturb.saliency.measured import FOLDER, TOLD, Measured, read_measured


def looked_at(runs: Sequence[Run]) -> Exhibit | None:
    """The paper's sentences and where each network looks, for each set of runs that may be compared; None without any.

    The figure is of the first set, the one with most runs. Photographs are not shown. Raises UserError for a damaged
    file.
    """
    found = sorted(comparisons(_measured(runs)), key=lambda of: -sum(len(arm.runs) for arm in of.arms.values()))
    if not found:
        return None
    tables = [
        table
        for of in found
        for table in (sentence_table(of), density_table(of, by_emotion=False), seed_table(of))
        if table is not None
    ]
    shown = [(name, arm.runs[0]) for name, arm in sorted(found[0].arms.items(), key=in_order)]
    draw = face_figure if may_show(shown[0][1], pictures=False) else mean_figure
    return Exhibit("Where networks look", tables, draw(shown, IN_FIGURES))


def _measured(runs: Sequence[Run]) -> Iterator[Measured]:
    for directory, _ in runs:
        for told in sorted((directory / FOLDER).glob(f"*/{TOLD}")):
            yield read_measured(told.parent)
