"""Pages hold the numbers that were measured; photographs are shown on request alone."""

from pathlib import Path

import pytest
from generated_saliency import generated

from fer_perturb.files import write_text
from fer_perturb.report.saliency import pages
from fer_perturb.report.saliency.exhibit import looked_at
from fer_perturb.report.saliency.figures import cluster_figure, curve_figure, density_figure, mean_figure
from fer_perturb.report.saliency.pages import write_comparisons, write_page
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
from fer_perturb.saliency import resampling
from fer_perturb.saliency.comparing import comparisons
from fer_perturb.saliency.measured import write_measured
from fer_perturb.saliency.sentences import SENTENCES
from fer_perturb.tables.markdown import markdown


@pytest.mark.parametrize(("drawn", "pictures"), [(False, False), (False, True), (True, False)])
def test_photographs_are_shown_on_request_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: bool, pictures: bool
) -> None:
    monkeypatch.setattr(pages, "save_figure", lambda figure, path: write_text(path, ""))
    monkeypatch.setattr(resampling, "RESAMPLES", 20)
    page = write_page(generated({}, drawn=drawn), tmp_path, pictures=pictures)
    compared = write_comparisons([generated({}, drawn=drawn)], tmp_path / "tables", pictures=pictures)
    shown = drawn or pictures
    for text in (page.read_text(), compared[0].read_text()):
        assert ("faces.png" in text) == shown
    assert bool(list(tmp_path.rglob("*faces.png"))) == shown
    write_page(generated({}, drawn=False), tmp_path, pictures=False)
    assert not list(tmp_path.glob("*faces.png")), "what is not to be shown any more goes"


def test_densities_as_they_are() -> None:
    run = generated({"mouth": 2.0}, of_emotion={("fear", "nose"): 4.0})
    (of,) = comparisons([run])
    table = density_table(of, by_emotion=True)
    rows = {tuple(row[1:3]): row for row in table.texts}
    assert rows["gradient", "all"][6].startswith(("1.9", "2.0"))
    assert rows["Grad-CAM", "fear"][5].startswith(("3.", "4."))
    assert "those with firmly placed landmarks" in table.title
    assert len(table.rows) == 3 * 8
    assert len(density_table(of, by_emotion=False).rows) == 3


def test_differences_and_seeds() -> None:
    runs = [generated({"mouth": 1.0 + seed}, seed=seed) for seed in range(2)]
    runs += [generated({"mouth": 1.5 + seed}, scheme="perturb", seed=seed, clusters=0.4) for seed in range(2)]
    (of,) = comparisons(runs)
    first = difference_table(of, "perturb", "whole").texts[0]
    assert first[:2] == ["gradient", "all"]
    assert first[5].startswith(("+0.4", "+0.5"))
    seeds = seed_table(of)
    assert seeds is not None
    assert [row[1] for row in seeds.texts] == ["1", "1"]
    assert "and seeds" in density_table(of, by_emotion=False).note
    assert density_figure(of).axes


def test_each_sentence_has_a_row() -> None:
    (of,) = comparisons([generated({}), generated({"mouth": 2.0}, scheme="perturb", clusters=0.2)])
    table = sentence_table(of)
    assert len(table.rows) == len(SENTENCES)
    verdicts = [row[-1] for row in table.texts]
    assert {"held (one seed)", "not held (one seed)"} < set(verdicts)
    assert any(text.startswith("not decidable: no baseline trained on masked faces") for text in verdicts)
    assert "in 20 % of the faces" in table.note
    assert "| “two clusters targeting the eyes" in markdown(table)


def test_curves_sanity_and_clusters() -> None:
    run = generated({}, scheme="perturb", clusters=0.4)
    rows = {row[0]: row for row in curve_table(run).texts}
    assert rows["gradient"][2].startswith(("-0.10", "-0.09", "-0.11"))
    assert rows["random order"][2] == "-"
    assert [row[0] for row in sanity_table(run).texts] == ["10", "100"]
    assert len(shuffled_table(run).rows) == 3
    clusters = cluster_table(run)
    assert clusters is not None
    assert [row[0] for row in clusters.texts if row[0]] == ["epoch 1", "tested", "position alone"]
    assert cluster_table(generated({})) is None
    assert cluster_figure(generated({})) is None
    for figure in (cluster_figure(run), curve_figure(run), mean_figure([("", run)], run.methods)):
        assert figure is not None
        assert figure.axes


def test_runs_that_were_looked_at_fill_an_exhibit(tmp_path: Path) -> None:
    runs = []
    for scheme in ("baseline", "perturb"):
        write_measured(generated({"mouth": 2.0}, scheme=scheme, drawn=True), tmp_path / scheme / "saliency" / "demo")
        runs.append((tmp_path / scheme, {}))
    found = looked_at([*runs, (tmp_path / "never looked at", {})])
    assert found is not None
    assert [len(table.rows) for table in found.tables] == [len(SENTENCES), 6]
    assert found.figure is not None
    assert looked_at([(tmp_path, {})]) is None
