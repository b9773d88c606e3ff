"""The paper's numbers agree with each other as docs/paper.md says, and with what that page prints."""

import re
from pathlib import Path
from statistics import mean

import pytest

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.paper.values import networks, reported

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "paper.md").read_text()


def printed_rows(heading: str) -> dict[str, list[str]]:
    """The rows of the Markdown table below a heading of docs/paper.md."""
    part = PAGE.split(f"## {heading}")[1].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in lines}


@pytest.mark.parametrize("network", ["DPN", "ResNet", "VGG16"])
def test_its_accuracy_is_the_balanced_one(network: str) -> None:
    """The class means of Table 3 are the gains of Table 2."""
    table2, table3 = (reported(name).printed[network] for name in ("table2", "table3"))
    gain = table2["perturb accuracy"] - table2["baseline accuracy"]
    assert mean(table3[emotion] for emotion in EMOTIONS) == pytest.approx(gain, abs=0.05)


def test_the_page_prints_the_same() -> None:
    table1 = printed_rows("Table 1")
    for emotion in EMOTIONS:
        cells = [f"{reported('table1').value(network, emotion):+g} %" for network in networks()]
        assert table1[emotion] == cells
    table3 = printed_rows("Table 3")
    for emotion in EMOTIONS:
        found = [float(cell) for cell in table3[emotion]]
        assert found == [reported("table3").value(network, emotion) for network in ("DPN", "ResNet", "VGG16")]
    table2 = printed_rows("Table 2")
    columns = ("baseline accuracy", "perturb accuracy", "baseline F1", "perturb F1")
    for network in networks():
        cells = [re.match(r"[\d.]+", cell) for cell in table2[network]]
        found = [number and float(number[0]) for number in cells]
        assert found == [reported("table2").value(network, column) for column in columns]


def test_the_draft_stands_beside() -> None:
    assert reported("table1").value("DenseNet", "sad", "draft") == 12.2
    assert reported("table1").value("DenseNet", "sad") == -12
    assert reported("table1").value("DenseNet", "angry", "draft") is None
    assert reported("table1").column("sad", "draft") == [12.2, 23.9, -4.3, 16, -7.9]
    assert reported("table2").value("Ensemble", "perturb accuracy", "draft") == 40


def test_the_networks_that_stand_for_the_paper_s_can_be_asked_for() -> None:
    """Each is a file of conf/model, with the name that a summary has."""
    conf = Path(__file__).resolve().parents[2] / "conf" / "model"
    for ours in networks().values():
        for asked, name in ours.items():
            assert f"\nbackbone: {name}\n" in (conf / f"{asked}.yaml").read_text()


def test_every_figure_has_a_source_and_says_something() -> None:
    for name in ("figure1", "figure3", "figure4", "figure5", "figure6"):
        assert re.match(r"Figure \d, section \d", reported(name).source)
        assert reported(name).says
