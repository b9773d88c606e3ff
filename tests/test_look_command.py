"""python -m fer_perturb.look: what it leaves, of one run and of several, and what it cannot look at."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from commanding import Commands
from composing import small

from fer_perturb.saliency.measured import FACES, MAPS, TOLD, read_measured
from fer_perturb.saliency.regions import PARTS
from fer_perturb.train import train

pytestmark = pytest.mark.slow
FIGURES = {f"saliency-{name}.png" for name in ("mean_maps", "faces", "curves")}


@pytest.fixture(scope="module")
def outputs(data_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline and a run with clusters, which see the middle of the image."""
    outputs = tmp_path_factory.mktemp("outputs")
    for words in (["scheme=baseline"], ["scheme=perturb", "scheme/regions=dataset"]):
        small_run = small(data_directory, outputs, "recipe.epochs=1", "recipe.crop=40", *words)
        train(small_run)
    return outputs


@pytest.fixture
def looked(commands: Commands, data_directory: Path, outputs: Path):
    given = (f"paths.data={data_directory}", f"paths.outputs={outputs}", "trainer.accelerator=cpu", "images=14")
    return lambda *words: commands("look", *given, "trainer.enable_progress_bar=false", *words)


def test_several_runs_are_looked_at_and_compared(looked, outputs: Path) -> None:
    (outputs / "synthetic" / "broken").mkdir()
    (outputs / "synthetic" / "broken" / "summary.json").write_text("{")
    shown = looked(f"run={outputs}")
    shutil.rmtree(outputs / "synthetic" / "broken")
    assert shown.status == 0, shown
    assert "broken is left out." in shown.out
    pages = [Path(line.removeprefix("Written to ")) for line in shown.out.splitlines() if line.startswith("Written")]
    assert len(pages) == 3
    for page in pages[:2]:
        found = {path.name for path in page.parent.iterdir()}
        clusters = {"saliency-clusters.png"} if "perturb" in str(page) else set()
        assert found == {TOLD, FACES, MAPS, page.name, *FIGURES, *clusters}
        measured = read_measured(page.parent)
        assert measured.maps["example/image"].shape[1:] == (40, 40)
        for method in measured.methods:
            share, area = measured.shares(method)
            assert share.shape == area.shape == (measured.about["images"], len(PARTS))
            known = ~np.isnan(share[:, 0])
            np.testing.assert_allclose(share[known].sum(axis=1), 1, atol=1e-4)
            np.testing.assert_allclose(area.sum(axis=1), 1, atol=1e-6)
        assert ("attention" in measured.methods) == ("perturb" in str(page))
        assert {of["shuffled"] for of in measured.told["sanity"]} >= {1.0}
    comparison = pages[2].read_text()
    assert pages[2].parent == outputs / "tables"
    assert "two clusters targeting the eyes" in comparison
    assert "Where perturb looks more than whole" in comparison
    for line in comparison.splitlines():
        if line.startswith("!["):
            assert (pages[2].parent / line.split("(")[1].rstrip(")")).is_file()


def test_it_says_what_it_cannot_do(looked, outputs: Path, tmp_path: Path) -> None:
    assert looked().sentence.startswith("run= is missing")
    assert "at least one face" in looked(f"run={outputs}", "images=0").sentence
    (tmp_path / "empty").mkdir()
    assert "holds no finished run" in looked(f"run={tmp_path / 'empty'}").sentence
