"""What a stranger adds without an edit here: a scheme, a network and a table, each a file in a folder of theirs.

A dataset reader: tests/data/readers/test_a_reader_from_outside.py.
"""

import re
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from composing import small_overrides
from forking import Forked, Hold, forked

pytestmark = pytest.mark.slow

DOCS = Path(__file__).resolve().parents[1] / "docs"
MODULES = {
    "your_own_scheme.md": "random_halves",
    "your_own_network.md": "my_networks",
    "your_own_table.md": "my_tables",
}
MARKS = {"random_halves": "class RandomHalves", "my_networks": "register_model", "my_tables": "def fear"}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """The folder of somebody who has followed the pages of docs/."""
    folder = tmp_path / "theirs"
    (folder / "my_conf" / "scheme").mkdir(parents=True)
    (folder / "my_conf" / "model").mkdir()
    for page, module in MODULES.items():
        (code,) = [block for block in blocks(page, "python") if MARKS[module] in block]
        (folder / f"{module}.py").write_text(code)
    (folder / "my_conf" / "scheme" / "random_halves.yaml").write_text(blocks("your_own_scheme.md", "yaml")[0])
    (folder / "my_conf" / "model" / "three_layers.yaml").write_text(blocks("your_own_network.md", "yaml")[0])
    return folder


def started(theirs: Path, module: str, *words: str, hold: Hold | None = None) -> Forked:
    """python -m fer_perturb.<module> in their folder."""
    return forked(module, *words, folder=theirs, before=hold)


def logits(outputs: Path, pattern: str) -> list[list[float]]:
    (file,) = outputs.glob(f"synthetic/{pattern}/predictions/synthetic.parquet")
    table = pq.read_table(file)
    return [table[name].to_pylist() for name in table.column_names if name.startswith("logit_")]


def test_a_scheme_a_network_and_a_table(data_directory: Path, theirs: Path, tmp_path: Path) -> None:
    """In a sweep with perturb, to the table; killed and resumed; and tested again under perturb's views."""

    def words(outputs: str) -> list[str]:
        given = [o for o in small_overrides(data_directory, tmp_path / outputs) if not o.startswith("model=")]
        ours = ["--config-dir=my_conf", "model=three_layers", "attention_model.attention.at=[input]"]
        return ["-m", *ours, *given, "scheme=perturb,random_halves", "scheme/views=sample", "table=my_tables.fear"]

    hold = Hold(
        "fer_perturb.tasks.phases.predictor:Predictor.training_step", 3 + 3 + 4
    )  # in random_halves' second epoch
    assert started(theirs, "train", *words("pieces"), hold=hold).end(signal.SIGKILL) == -signal.SIGKILL
    for outputs in ("pieces", "whole"):
        ran = started(theirs, "train", *words(outputs))
        assert ran.status == 0, ran.err
        assert "Fear on the test split" in ran.out
        (table,) = (tmp_path / outputs / "tables").glob("fear-synthetic-three_layers-demo-*.md")
        assert "| perturb | 0 |" in table.read_text()
        assert "| random_halves | 0 |" in table.read_text()
    theirs_in = "three_layers/random_halves/*"
    assert logits(tmp_path / "pieces", theirs_in) == logits(tmp_path / "whole", theirs_in)

    (run,) = (tmp_path / "whole").glob(f"synthetic/{theirs_in}")
    (perturb,) = (tmp_path / "whole").glob("synthetic/three_layers/perturb/*")
    given = [f"paths.data={data_directory}", "trainer.accelerator=cpu", "trainer.enable_progress_bar=false"]
    tested = started(theirs, "evaluate", f"run={run}", f"views_from={perturb}", *given)
    assert tested.status == 0, tested.err
    assert list(run.glob("predictions/synthetic+views_from@perturb-*.parquet"))
