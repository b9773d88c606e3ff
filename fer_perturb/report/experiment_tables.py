"""The tables and the figure that an experiment is for, in every format, from its runs' predictions."""

import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib import import_module
from pathlib import Path

from fer_perturb.errors import UserError, first_line
from fer_perturb.files import write_bytes, write_text
from fer_perturb.report.exhibits.axes import figure5, hidden_share
from fer_perturb.report.exhibits.classes import figure3
from fer_perturb.report.exhibits.clusters import cluster_epochs, figure4
from fer_perturb.report.exhibits.exhibit import Exhibit, Tabled
from fer_perturb.report.exhibits.gains import table2
from fer_perturb.report.exhibits.grids import budgets, controls, grid
from fer_perturb.report.exhibits.hidden import feature_removal, occlusion_curve
from fer_perturb.report.exhibits.judging import each
from fer_perturb.report.exhibits.masks import table1
from fer_perturb.report.figures import as_svg, save_figure
from fer_perturb.report.settings import Run, settings
from fer_perturb.runs.run_directory import read_settings
from fer_perturb.tables.csv import as_csv
from fer_perturb.tables.html import html, marked, page
from fer_perturb.tables.latex import latex
from fer_perturb.tables.markdown import markdown

TABLES: Mapping[str, Tabled] = {
    "table1": table1,
    "table2": table2,
    "grid": grid,
    "feature_removal": feature_removal,
    "occlusion_curve": occlusion_curve,
    "figure3": figure3,
    "figure4": figure4,
    "figure5": figure5,
    "controls": controls,
    "hidden_share": hidden_share,
    "clusters": cluster_epochs,
    "budgets": budgets,
}
OF_NETWORKS = {"table1", "table2", "budgets"}  # those whose runs may differ in the network


def table_of(name: str) -> Tabled:
    """The table of that name: one of TABLES, or anybody's `module.function` of the same kind. Raises UserError."""
    if name in TABLES:
        return TABLES[name]
    module, _, function = name.rpartition(".")
    try:
        found: Tabled | None = getattr(import_module(module), function) if module else None
    except (ImportError, AttributeError) as error:
        raise UserError(f"table={name} cannot be had: {first_line(error)} Expected module.function.") from error
    if found is None:
        raise UserError(f"table={name}: expected null, one of {', '.join(TABLES)}, or module.function.")
    return found


def write_tables(name: str, runs: Sequence[Run], outputs: Path) -> dict[Path, Exhibit]:
    """Writes the table `name` of the runs into `outputs`/tables, one for each of their `settings`.

    Returns what they show by the page where it lies; beside it lie its other formats (`write_exhibit`). A page is named
    after its data, model and recipe and the hash of the runs that it is made of, so that other runs do not take its
    place. Of a setting whose runs do not make a table none is written.
    """
    written = {}
    for of in settings(runs, networks=name in OF_NETWORKS):
        exhibit = table_of(name)(of)
        if exhibit is None:
            continue
        recipe = read_settings(of[0][0])["recipe"]
        names = sorted("/".join(run.parts[-4:]) for run, _ in of)
        made_of = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
        models = each(of, "model")
        model = models[0] if len(models) == 1 else f"{len(models)}networks"
        title = f"{of[0][1]['dataset'].partition('+')[0]}-{model}-{recipe['name']}-{made_of}"
        path = outputs / "tables" / f"{name.rpartition('.')[2]}-{title}.md"
        told = f"Runs, in {recipe.get('precision', '?')}: {', '.join(f'`{run}`' for run in names)}."
        write_exhibit(exhibit, path, told)
        written[path] = exhibit
    return written


def write_exhibit(exhibit: Exhibit, path: Path, told: str) -> None:
    """Writes a page in Markdown, `path`, and beside it the same as .html and .tex, each table as .csv, -2.csv and so
    on, and the figure as .png and .svg. told: a last sentence of the page.
    """
    parts = [f"# {exhibit.title}\n", *map(markdown, exhibit.tables), f"{told}\n"]
    pieces = [f"<h1>{marked(exhibit.title)}</h1>", *map(html, exhibit.tables), f"<p>{marked(told)}</p>"]
    if exhibit.figure:
        save_figure(exhibit.figure, path.with_suffix(".png"))
        write_bytes(path.with_suffix(".svg"), as_svg(exhibit.figure))
        parts.append(f"![{exhibit.title}]({path.stem}.png)\n")
        pieces.append(f'<img src="{path.stem}.svg" alt="{escape(exhibit.title)}">')
    for number, table in enumerate(exhibit.tables, 1):
        beside = path.with_name(f"{path.stem}{f'-{number}' if number > 1 else ''}.csv")
        write_text(beside, as_csv(table))
    write_text(path.with_suffix(".tex"), "\n".join(map(latex, exhibit.tables)))
    write_text(path.with_suffix(".html"), page(exhibit.title, pieces))
    write_text(path, "\n".join(parts))
