"""The page: what is in it, whatever the runs are."""

import json
import shutil
from pathlib import Path

import pytest
from predicted_runs import predicted_runs, write_predictions

from fer_perturb.report.figures import CLUSTER_COLOURS
from fer_perturb.report.page.write import gather, render, write_report

EMBEDDED = "data:image/webp;base64,"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Runs of three schemes and seeds: do not change it."""
    outputs = tmp_path_factory.mktemp("outputs")
    for scheme, right in (("baseline", 0.5), ("perturb", 0.8), ("copies", 0.6)):
        predicted_runs(outputs, [f"scheme={scheme}"], range(3), right)
    return outputs


def page_of(outputs, data=Path("nowhere"), **how):
    return render(gather([outputs], data, **how or {"pictures": False}))


def test_it_is_one_file_that_fetches_nothing(whole, tmp_path):
    out = write_report([whole], tmp_path / "report.html", tmp_path)
    text = out.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert out.stat().st_size < 15e6
    assert text.count("<script") == 3
    assert "default-src 'none'" in text
    body = text[: text.index('<script type="application/json"')]
    for mark in ("src=", "url(", "@import", "<link"):
        for piece in body.split(mark)[1:]:
            assert piece.lstrip('"').startswith(("data:", ' rel="icon" href="data:')), piece[:80]


def test_every_run_has_its_page_and_the_list_leads_there(whole):
    text = page_of(whole)
    for number in range(1, 10):
        assert text.count(f'<article class="run" id="run-{number}"') == 1
        assert f'<a href="#run-{number}">' in text
    assert "Yes, it helps" in text
    assert "The surest mistakes" in text
    assert "without cluster 3" in text


def test_the_tables_of_all_runs_are_there_with_the_papers(whole):
    text = page_of(whole)
    exhibits = text.count('<section class="exhibit"')
    assert exhibits >= 3
    assert text.count('<li><a href="#exhibit-') == exhibits
    assert "Table 2: balanced accuracy and macro F1" in text
    assert "make table1" in text, "what makes the cells that nobody has run"
    assert "data:image/svg+xml;base64," in text


def test_an_empty_folder_has_a_report_that_says_so(tmp_path):
    text = page_of(tmp_path)
    assert "Not measured yet" in text
    assert "There is no finished run yet" in text
    assert 'class="plot"' not in text
    assert "make table2" in text, "the paper's tables are there, with what would fill them"


def damage_summary(run):
    (run / "summary.json").write_text("{")
    return "summary.json is damaged"


def damage_config(run):
    (run / "config.yaml").write_text("seed: [")
    return "config.yaml is damaged"


def damage_predictions(run):
    (run / "predictions" / "fer2013.parquet").write_bytes(b"PAR1 no more")
    return "cannot be shown"


def lose_predictions(run):
    shutil.rmtree(run / "predictions")
    return "fer2013.parquet is missing"


def others_predictions(run):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1]}), run / "predictions" / "fer2013.parquet")
    return "cannot be shown"


def damage_record(run):
    (run / "predictor").mkdir()
    (run / "predictor" / "phase.json").write_text('{"curve": [{"loss": "x"}], "clusters": 3}')
    return "cannot be shown"


def damage_pictures(run):
    (run / "clustering").mkdir()
    (run / "clustering" / "attention.npy").write_bytes(b"no array")
    return "The pictures cannot be shown"


DAMAGES = [
    *(damage_summary, damage_config, damage_predictions, lose_predictions, others_predictions),
    *(damage_record, damage_pictures),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_told_and_the_rest_shown(whole, tmp_path, damage):
    shutil.copytree(whole, tmp_path / "outputs")
    run = sorted((tmp_path / "outputs" / "fer2013").glob("*/perturb/seed1-*"))[0]
    told = damage(run)
    text = page_of(tmp_path / "outputs")
    assert told in text
    assert "Yes, it helps" in text
    others = [of for of in sorted((tmp_path / "outputs" / "fer2013").glob("*/*/seed*")) if of != run]
    assert all(str(of) in text for of in others)


def test_foreign_folders_and_unfinished_runs_are_told(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "outputs")
    (tmp_path / "outputs" / "holiday" / "2019").mkdir(parents=True)
    (tmp_path / "outputs" / "fer2013" / "net" / "perturb" / "seed9-01234567").mkdir(parents=True)
    (tmp_path / "outputs" / "notes.txt").write_text("mine")
    text = page_of(tmp_path / "outputs")
    assert "holiday holds no run" in text
    assert "Unfinished runs that are left out: 1." in text
    assert "Yes, it helps" in text


def test_runs_with_other_classes_stand_beside(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "outputs")
    mine = ["dataset=folder", "dataset.name=mine"]
    predicted_runs(tmp_path / "outputs", ["scheme=baseline", *mine], [0, 1], 0.5, classes=["awake", "asleep"])
    (odd,) = predicted_runs(tmp_path / "outputs", ["scheme=perturb", *mine], [1], 0.5, classes=["awake", "asleep"])
    write_predictions(odd, 1, 0.5, ["sad", "glad", "mad"], 30)
    text = page_of(tmp_path / "outputs")
    assert "2 runs know other classes (awake, asleep)" in text
    assert "1 run knows other classes (sad, glad, mad)" in text
    assert "do not know the same classes" in text
    assert "Yes, it helps" in text


def test_names_are_words_and_no_markup(tmp_path):
    predicted_runs(tmp_path, ["scheme=baseline", "dataset=folder", "dataset.name='<script>x'"], [0], 0.5)
    text = page_of(tmp_path)
    assert "<script>x" not in text
    assert "&lt;script&gt;x" in text


def draw_scheme(run):
    from PIL import Image

    (run / "predictor" / "pictures").mkdir(parents=True)
    Image.new("RGB", (60, 40), CLUSTER_COLOURS[0]).save(run / "predictor" / "pictures" / "scheme.png")


@pytest.mark.parametrize(
    ("dataset", "asked", "shown"), [("fer2013", False, 0), ("fer2013", True, 1), ("synthetic", False, 1)]
)
def test_faces_of_people_are_shown_on_request_alone(tmp_path, dataset, asked, shown):
    (run,) = predicted_runs(tmp_path, ["scheme=perturb", f"dataset={dataset}"], [0], 0.5)
    draw_scheme(run)
    assert page_of(tmp_path, pictures=asked).count(EMBEDDED) == shown


def test_the_settings_tried_are_counted_with_those_of_searches(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "outputs")
    predicted_runs(tmp_path / "outputs", ["scheme=perturb", "scheme.regions.n_clusters=5"], [0], 0.5)
    journal = tmp_path / "outputs" / "search" / "journal.log"
    journal.parent.mkdir()
    lines = [{"op_code": 0, "study_name": "scheme-fer2013-net-perturb-01234567"}, *[{"op_code": 4, "study_id": 0}] * 7]
    journal.write_text("\n".join(map(json.dumps, lines)) + '\n{"op_c')
    found = {of.scheme: (of.tried, of.trials, of.runs) for of in gather([tmp_path / "outputs"], tmp_path).efforts}
    assert found == {"baseline": (1, 0, 3), "copies": (1, 0, 3), "perturb": (9, 7, 4)}


def test_the_command(whole, tmp_path, commands):
    out = tmp_path / "here" / "my report.html"
    shown = commands("report", f"runs={whole}", f"out={out}", f"paths.data={tmp_path}")
    assert shown.status == 0, shown
    assert str(out) in shown.out
    assert out.is_file()
    assert "is no folder" in commands("report", "runs=nowhere").sentence
