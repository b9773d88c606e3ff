"""Gathers what there is, renders the page, and writes it whole."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fer_perturb.analysis.collected import FoundRun, find
from fer_perturb.files import write_text
from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.gathered import tables_of
from fer_perturb.report.page import plots, tables, words
from fer_perturb.report.page.answer import Answer, answer
from fer_perturb.report.page.contrasts import Contrast, contrasts
from fer_perturb.report.page.dataset import Faces
from fer_perturb.report.page.effort import Effort, efforts
from fer_perturb.report.page.fields import Field, fields
from fer_perturb.report.page.pictures import Pictures, as_json, drawing
from fer_perturb.report.page.run_page import RunPage, run_page, shares_of
from fer_perturb.runs.run_directory import commit
from fer_perturb.tables.html import html

PAGES = 500  # runs that have a page of their own, so that the file stays small enough to be sent


@dataclass(frozen=True, eq=False)
class Report:
    """What the page says. told: a sentence on each thing that is left out."""

    roots: Sequence[Path]
    runs: list[FoundRun]
    fields: list[Field]
    contrasts: list[Contrast]
    answer: Answer
    exhibits: dict[str, Exhibit]
    efforts: list[Effort]
    pages: list[RunPage]
    told: list[str]
    pictures: bool


def gather(roots: Sequence[Path], data: Path, *, pictures: bool = False) -> Report:
    """Reads all runs under `roots`; data: where prepared data lie; pictures: whether people's faces are shown.

    Raises UserError where one of `roots` is no folder.
    """
    runs, told = find(roots)
    runs = sorted(runs, key=lambda run: (run.summary["dataset"], run.summary["model"], run.directory.parts[-2:]))
    of, untold = fields(runs)
    compared, missing = contrasts(of)
    exhibits, unmade = tables_of([(run.directory, run.summary) for run in runs])
    shown, faces = Pictures(pictures), Faces(data)
    pages = [run_page(number, run, shown, faces) for number, run in enumerate(runs[:PAGES], 1)]
    told += [*untold, *missing, *unmade, *_other_classes(pages)]
    if len(runs) > PAGES:
        told.append(f"{len(runs) - PAGES:,} runs have no page of their own, as {PAGES} have one.")
    if shown.refused:
        told.append(f"The pictures of {len(shown.refused):,} runs did not fit in; they lie in the runs' folders.")
    return Report(roots, runs, of, compared, answer(compared, of), exhibits, efforts(of, roots), pages, told, pictures)


def _other_classes(pages: Sequence[RunPage]) -> list[str]:
    """Says which runs know other classes than most do."""
    known = Counter(page.classes for page in pages if page.classes)
    usual = known.most_common(1)[0][0] if known else ()
    return [
        f"{number:,} {'run knows' if number == 1 else 'runs know'} other classes ({', '.join(classes)}) than most runs "
        f"here ({', '.join(usual)}): they are compared among themselves alone."
        for classes, number in known.items()
        if classes != usual
    ]


def write_report(roots: Sequence[Path], out: Path, data: Path, *, pictures: bool = False) -> Path:
    """Writes the report of all runs under `roots` into the file `out`, which is returned."""
    write_text(out, render(gather(roots, data, pictures=pictures)))
    return out


def render(report: Report) -> str:
    """The whole page: nothing that it shows lies elsewhere."""
    from plotly.offline import get_plotlyjs  # here, as it is large

    drawn: list[plots.Plot] = []

    def plot(of: plots.Plot) -> Markup:
        drawn.append(of)
        return Markup('<div class="plot" id="plot-{}" role="img" aria-label="{}" style="height:{}px"></div>').format(
            len(drawn) - 1, of.title, of.height
        )

    environment = _environment()
    body = environment.get_template("page.html.j2").render(
        report=report,
        plot=plot,
        when=datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
        version=version("fer_perturb"),
        commit=(commit() or "")[:8],
    )
    # the plots' data are known only once all sections are rendered
    return environment.get_template("document.html.j2").render(
        body=Markup(body),
        plots=Markup(as_json([of.json for of in drawn])),
        plotly=Markup(get_plotlyjs()) if drawn else "",
        style=Markup(_source("style.css")),
        script=Markup(_source("script.js")),
        answer=report.answer,
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fer_perturb.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(words, name) for name in ("points", "signed", "percent", "decimal", "sorting", "seconds", "code")
    }
    environment.globals |= {"plots": plots, "tables": tables, "html": lambda table: Markup(html(table))}
    environment.globals |= {"shares_of": shares_of, "drawing": drawing}
    return environment


def _source(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
