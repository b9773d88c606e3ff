"""The page as people see it: it draws, sorts, searches, fits a phone, and can be read by all."""

from pathlib import Path

import pytest
from predicted_runs import predicted_runs
from report.page.browser import axe, browser

from fer_perturb.report.page import write_report

pytestmark = pytest.mark.slow

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """Ten runs of drawn faces, two of which trained elsewhere and left their curves, clusters and maps."""
    import json

    import numpy as np
    from PIL import Image
    from safetensors.numpy import save_file

    outputs = tmp_path_factory.mktemp("outputs")
    runs = []
    for scheme, right in (("baseline", 0.5), ("perturb", 0.8), ("position_only", 0.7)):
        runs += predicted_runs(outputs, [f"scheme={scheme}", "dataset=synthetic"], range(3), right)
    for run in runs[3:5]:
        for folder in ("predictor/pictures", "clustering"):
            (run / folder).mkdir(parents=True)
        epochs = range(4)
        curve = [{"epoch": k, "loss": 2 - k / 4, "accuracy": k / 4, "balanced": k / 5} for k in epochs]
        clusters = [{"epoch": k, "areas": [0.2, 0.3, 0.5], "ari_position_only": 0.7 + k / 50} for k in epochs]
        (run / "predictor" / "phase.json").write_text(json.dumps({"curve": curve, "clusters": clusters}))
        labels = np.arange(48 * 48, dtype=np.int8).reshape(48, 48) // 20 % 3
        np.save(run / "clustering" / "attention.npy", labels.astype(np.float32))
        save_file({"cluster_map": labels}, run / "clustering" / "clusters.safetensors")
        Image.new("RGB", (60, 40)).save(run / "predictor" / "pictures" / "scheme.png")
    (outputs / "holiday").mkdir()
    return write_report([outputs], tmp_path_factory.mktemp("page") / "report.html", outputs)


@pytest.fixture(scope="module")
def chrome():
    with browser() as opened:
        yield opened


@pytest.fixture
def opened(chrome, report):
    """Opens the page at an anchor, in a window and a colour scheme; whatever it complains of fails the test."""
    complaints, contexts = [], []

    def at(anchor="answer", size=DESK, colours="light"):
        context = chrome.new_context(viewport=size, color_scheme=colours, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda told: complaints.append(told.text) if told.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if elsewhere(asked.url) else None)
        page.goto(f"{report.as_uri()}#{anchor}")
        return page

    yield at
    for context in contexts:
        context.close()
    assert complaints == []


def elsewhere(url):
    return not url.startswith(("file:", "data:", "blob:"))


def drawn(page):
    """Goes down the page until all plots that can be seen are drawn; how many these are."""
    boxes = page.locator(".plot:visible")
    for place in range(boxes.count()):
        boxes.nth(place).scroll_into_view_if_needed()
        boxes.nth(place).locator("svg.main-svg").first.wait_for()
    return boxes.count()


def test_plots_draw_with_what_they_show(opened):
    page = opened()
    assert drawn(page) == 2
    forest = page.locator("#differences .plot")
    assert forest.locator(".scatterlayer path.point").count() == 3  # two schemes less the baseline, one less a control
    assert forest.locator(".errorbars path").count() == 3
    assert "perturb" in forest.locator(".yaxislayer-above").text_content()


def test_a_run_has_a_page_of_its_own(opened):
    page = opened()
    page.locator("#runs table a", has_text="perturb").first.click()
    assert page.locator(".overview").is_hidden()
    assert page.locator(".run:visible").count() == 1
    assert page.title().startswith("perturb, seed 0")
    assert drawn(page) == 2  # curves, and clusters over epochs
    assert page.locator(".run:visible .confusion td").count() == 49
    assert page.locator(".run:visible img").count() == 3
    page.locator(".run:visible a[rel=next]").click()
    assert page.title().startswith("perturb, seed 1")
    page.go_back()
    page.go_back()
    assert page.locator(".overview").is_visible()


def column(page, place):
    cells = page.locator(f"#runs tbody tr:visible > :nth-child({place})")
    return [text.strip() for text in cells.all_text_contents()]


def test_tables_sort_by_what_stands_in_them(opened):
    page = opened("runs")
    button = page.locator("#runs th button", has_text="accuracy")
    button.click()
    rising = [float(text) for text in column(page, 7)]
    assert rising == sorted(rising)
    assert page.locator("#runs th[aria-sort=ascending]").count() == 1
    button.press("Enter")
    assert [float(text) for text in column(page, 7)] == sorted(rising, reverse=True)
    page.locator("#runs th button", has_text="run").first.click()
    assert column(page, 1) == sorted(column(page, 1))


def test_tables_are_searched_word_by_word(opened):
    page = opened("runs")
    page.get_by_label("Search").last.fill("PERTURB resnet")
    assert set(column(page, 1)) <= {"perturb"}
    page.get_by_label("Search").last.fill("position synth")
    assert column(page, 1) == ["position_only"] * 3
    assert "3 of 9 rows" in page.locator("#runs [role=status]").text_content()
    page.get_by_label("Search").last.fill("")
    assert len(column(page, 1)) == 9


@pytest.mark.parametrize("anchor", ["answer", "run-4"])
def test_it_fits_every_window(opened, anchor):
    page = opened(anchor, PHONE)
    assert drawn(page) == 2
    for width in (390, 320, 768, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        for _ in range(100):  # plots follow the window
            if (found := page.evaluate("document.documentElement.scrollWidth")) <= width:
                break
            page.wait_for_timeout(50)
        assert found <= width


@pytest.mark.parametrize("anchor", ["answer", "run-4"])
def test_everybody_can_read_it_in_light_and_dark(opened, anchor):
    """By axe-core's rules: contrast, labels, headings, regions, tables and the rest. Plots take the new colours."""
    from playwright.sync_api import expect

    page = opened(anchor, PHONE)
    drawn(page)
    page.evaluate(axe())
    words = page.locator(".plot:visible .xtitle").first
    light = words.evaluate("words => getComputedStyle(words).fill")
    for colours in ("light", "dark"):
        page.emulate_media(color_scheme=colours)
        if colours == "dark":
            expect(words).not_to_have_css("fill", light)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(of["id"], [node["html"][:120] for node in of["nodes"]][:3]) for of in found] == []


def test_it_is_used_by_keyboard(opened):
    page = opened()
    page.evaluate("history.replaceState(null, '', location.pathname)")
    page.reload()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    reached, ends = {"bar"}, {"bar", "answer", "differences", "tables", "runs"}
    for _ in range(1000):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('main > * > section')?.id || 'bar'"))
        if ends <= reached:
            break
    assert ends <= reached


def test_in_print_there_is_the_answer_and_no_controls(opened):
    page = opened()
    page.emulate_media(media="print")
    assert page.locator(".verdict").is_visible()
    assert page.locator(".bar").is_hidden()
    assert page.locator(".search").first.is_hidden()
    assert len(page.pdf()) > 10_000


def test_without_scripts_it_can_still_be_read(chrome, report):
    context = chrome.new_context(java_script_enabled=False, viewport=PHONE)
    page = context.new_page()
    page.goto(f"{report.as_uri()}#run-4")
    assert page.locator(".run:visible").count() == 1
    page.goto(f"{report.as_uri()}#runs")
    assert page.locator("#runs tbody tr:visible").count() == 9
    context.close()
