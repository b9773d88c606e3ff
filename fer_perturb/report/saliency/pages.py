"""What was seen of a run, and of several side by side, as Markdown pages with figures."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from fer_perturb.files import write_text
from fer_perturb.report.figures import save_figure
from fer_perturb.report.saliency.figures import (
    cluster_figure,
    curve_figure,
    density_figure,
    face_figure,
    mean_figure,
)
from fer_perturb.report.saliency.tables import (
    cluster_table,
    curve_table,
    density_table,
    difference_table,
    sanity_table,
    seed_table,
    sentence_table,
    shuffled_table,
)
from fer_perturb.saliency.comparing import Comparison, comparisons
from fer_perturb.saliency.measured import Measured
from fer_perturb.saliency.sentences import ARMS, MASKED, PERTURB, WHOLE
from fer_perturb.tables.markdown import markdown
from fer_perturb.tables.table import Table

PAGE = "saliency.md"
IN_FIGURES = ("gradient", "Grad-CAM")  # of several runs side by side: a fine map, and a coarse one


def write_page(measured: Measured, folder: Path, *, pictures: bool) -> Path:
    """Writes the page of one run into `folder`, with its figures; the page. pictures: whether photographs are shown."""
    about = measured.about
    title = f"Where {about['run']} looks"
    told = (
        f"{about['model']}, {about['scheme']}, trained on {about['dataset']} (recipe {about['recipe']}, "
        f"{about['epochs']} epochs, accuracy on its test split {100 * about['accuracy']:.1f} %), looked at on "
        f"{about['images']} test faces of {about['looked_at']}, as many of each emotion as there can be. The network "
        "is asked about the emotion of the label."
    )
    shown = [("", measured)]
    figures: dict[str, Figure | None] = {"mean_maps": mean_figure(shown, measured.methods)}
    if may_show(measured, pictures):
        figures["faces"] = face_figure(shown, measured.methods)
    figures |= {"curves": curve_figure(measured), "clusters": cluster_figure(measured)}
    return _written(folder / PAGE, title, told, _tables(measured), figures)


def write_comparisons(runs: Sequence[Measured], out: Path, *, pictures: bool) -> list[Path]:
    """Writes a page into `out` for each set of runs that may be compared; the pages."""
    pages = []
    sets = {placed: comparisons(runs, placed=placed) for placed in (True, False)}
    for firm, every in zip(sets[True], sets[False], strict=True):
        members = [run for arm in firm.arms.values() for run in arm.runs]
        names = sorted(run.about["run"] for run in members)
        made_of = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
        about = firm.about
        path = out / f"saliency-{about['looked_at']}-{about['model']}-{about['recipe']}-{about['epochs']}-{made_of}.md"
        title = f"Where networks look: {about['model']} on {about['looked_at']}"
        arms = [f"{name}: {ARMS[name]}" for name in firm.arms if name in ARMS]
        runs_told = f"Runs: {', '.join(f'`{name}`' for name in names)}."
        told = f"{'; '.join(arms)}. {runs_told}" if arms else runs_told
        found: list[Table | None] = [*_compared(firm), seed_table(firm)]
        if not firm.all_placed:
            found += [sentence_table(every), density_table(every, by_emotion=False)]
        shown = [(name, arm.runs[0]) for name, arm in sorted(firm.arms.items(), key=in_order)]
        figures: dict[str, Figure | None] = {
            "densities": density_figure(firm),
            "mean_maps": mean_figure(shown, IN_FIGURES),
        }
        if may_show(members[0], pictures):
            figures["faces"] = face_figure(shown, IN_FIGURES)
        tables = [table for table in found if table]
        pages.append(_written(path, title, told, tables, figures))
    return pages


def of_each_set(measured: Measured) -> list[Comparison]:
    """One run alone: on the faces whose landmarks are firmly placed, and, where there are others, on all."""
    firm, every = comparisons([measured]), comparisons([measured], placed=False)
    return firm if firm[0].all_placed else firm + every


def _compared(of: Comparison) -> list[Table]:
    pairs = [(arm, WHOLE) for arm in of.arms if WHOLE in of.arms and arm != WHOLE and of.shared((arm, WHOLE))]
    differences = [difference_table(of, arm, less) for arm, less in pairs]
    return [sentence_table(of), density_table(of, by_emotion=False), *differences]


def _tables(measured: Measured) -> list[Table]:
    """Of one run: where it looks on each set of faces, whether it matters, and its clusters."""
    found = [density_table(of, by_emotion=True) for of in of_each_set(measured)]
    found += [shuffled_table(measured), curve_table(measured), sanity_table(measured)]
    clusters = cluster_table(measured)
    return [*found, *([clusters] if clusters else [])]


def may_show(measured: Measured, pictures: bool) -> bool:
    return pictures or drawn(measured)


def drawn(measured: Measured) -> bool:
    """Whether its faces are drawn, so that anybody may see them."""
    return bool(measured.about["drawn"])


def in_order(arm: tuple[str, object]) -> tuple[int, str]:
    """For sorting arms: the paper's first."""
    order = [WHOLE, MASKED, PERTURB]
    return (order.index(arm[0]) if arm[0] in order else len(order), arm[0])


def _written(path: Path, title: str, told: str, tables: Sequence[Table], figures: dict[str, Figure | None]) -> Path:
    """The page `path`, with figures as <its name>-<theirs>.png beside it; those of an earlier page of that name go."""
    lines = [f"# {title}", "", told, ""]
    files = {
        path.with_name(f"{path.stem}-{name}.png"): figure for name, figure in figures.items() if figure is not None
    }
    for file, figure in files.items():
        save_figure(figure, file)
        lines += [f"![{file.stem.removeprefix(path.stem)[1:].replace('_', ' ')}]({file.name})", ""]
    for earlier in set(path.parent.glob(f"{path.stem}-*.png")) - set(files):  # faces that are not to be shown any more
        earlier.unlink()
    lines += [markdown(table) for table in tables]
    write_text(path, "\n".join(lines))
    return path
