"""The confirmatory runs: each is kept once, whatever happens between training and its row; tables follow from that."""

import shutil
from multiprocessing import get_context

import numpy as np
import pytest
from composing import DRAWING, composed, small_overrides

from fer_perturb.analysis.metrics import scores as scores_of_predictions
from fer_perturb.analysis.predictions import read_predictions
from fer_perturb.analysis.statistics import hierarchical
from fer_perturb.data.landmarks.maskfer import MaskFerMaker
from fer_perturb.data.packing import make
from fer_perturb.errors import UserError
from fer_perturb.evaluate import evaluate
from fer_perturb.experiment.dataset import open_dataset
from fer_perturb.train import train
from results import study
from results.contrasts import HYPOTHESES, Results
from results.cost import cost_of
from results.emotions import by_emotion
from results.exploration import table as explored
from results.page import DOCS, HERE, page
from results.plan import ARMS, FIVE, NETWORKS, TEN, Run, plan
from results.record import (
    COLUMNS,
    METRICS,
    SETS,
    add_row,
    read_arrays,
    read_rows,
    scores_of,
    write_answers,
    write_arrays,
)
from results.tables import scores, verdicts

pytestmark = pytest.mark.slow

BLOCK = ("perturb", "baseline")


@pytest.fixture(scope="module")
def folders(data_directory, tmp_path_factory):
    """Drawn faces and their MaskFer; where runs go; small settings for all of them."""
    outputs, whole = tmp_path_factory.mktemp("outputs"), data_directory / "synthetic"
    data_directory = tmp_path_factory.mktemp("data")  # other tests want no MaskFer in theirs
    shutil.copytree(whole, data_directory / "synthetic")
    given = [o for o in small_overrides(data_directory, outputs) if o.partition("=")[0] not in ("recipe", "logger")]
    small = [o for o in given if not o.startswith("paths") and "progress" not in o]
    data = open_dataset(composed(*small, f"paths.data={data_directory}"))
    make(data_directory / "maskfer", MaskFerMaker(data, unplaced="mean", workers=1))
    return data_directory, outputs, small


@pytest.fixture
def ours(folders, tmp_path, monkeypatch):
    """A study of those, whose commands run in this process and are noted."""
    data, outputs, small = folders
    called = []

    def call(self, entry, *words):
        called.append(entry)
        given = [word for word in words if word not in small] + [word for word in small if entry == "train"]
        {"train": train, "evaluate": evaluate}[entry](composed(*given, name=entry))

    monkeypatch.setattr(study.Study, "call", call)
    made = study.Study(data, outputs, tmp_path / "kept", small)
    return made, called


def test_a_block_is_kept_once_and_its_answers_say_what_its_rows_say(ours):
    made, called = ours
    runs = [Run(arm, "seresnet_light", 0) for arm in BLOCK]
    for run in runs:
        made.go(run)
    assert called.count("evaluate") == 1  # the baseline, under Perturb's views
    rows = read_rows(made.csv)
    assert [row["arm"] for row in rows] == ["attention_only", "perturb", "baseline"]
    assert {tuple(row) for row in rows} == {COLUMNS}
    for row in rows:
        file = made.answers_of(f"{row['arm']}-seresnet_light-seed0")
        assert file.stat().st_size < 100_000
        again = scores_of(read_arrays(file), made.labels)
        assert {key: float(row[key]) for key in again} == pytest.approx(again, abs=1e-6)
        assert float(row["attention_flops"]) > 0 or row["arm"] == "baseline"

    # what the project's own metrics say, from its own predictions
    perturb = rows[1]
    for name, file in {"whole": made.dataset, **made.test_sets}.items():
        path = made.directory(runs[0]) / "predictions" / f"{file}.parquet"
        for reading in ("original", "views"):
            own = scores_of_predictions(read_predictions(path, split="test", inference=reading, tta="none"))
            for metric in METRICS:
                assert float(perturb[f"{name}.{reading}.{metric}"]) == pytest.approx(own[metric], abs=1e-5)
    assert rows[2]["whole.perturb_views.accuracy"] != ""
    assert rows[2]["whole.views.accuracy"] == "" == rows[0]["mouth.original.accuracy"]

    before = made.csv.read_bytes()
    for run in runs:
        made.keep(run)
    assert made.csv.read_bytes() == before


class Failing(study.Study):
    """A study whose runs leave their names, but for one that fails."""

    device = "one"

    def go(self, run):
        if run.arm == "baseline":
            raise UserError("no")
        (self.to / run.name).touch()


def test_runs_beside_each_other_do_not_end_with_one_that_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "get_context", lambda _: get_context("fork"))  # which imports nothing again
    runs = [Run(arm, NETWORKS[0], 0) for arm in ("baseline", "landmarks", "perturb")]
    with pytest.raises(UserError, match=r"1 runs have failed.*baseline-seresnet_light-seed0"):
        study.beside(Failing(to=tmp_path), runs, workers=2)
    assert {path.name for path in tmp_path.iterdir()} == {run.name for run in runs[1:]}


def test_killed_between_a_run_and_its_row(ours, monkeypatch):
    made, called = ours
    run = Run("perturb", "seresnet_light", 0)

    def killed(path, row):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(study, "add_row", killed)
        with pytest.raises(KeyboardInterrupt):
            made.go(run)
    assert read_rows(made.csv) == []
    trained = called.count("train")
    made.go(run)
    assert called.count("train") == trained  # it was finished
    assert [row["arm"] for row in read_rows(made.csv)] == ["attention_only", "perturb"]


def test_the_plan():
    runs = plan()
    blocks = [(run.network, run.seed) for run in runs]
    assert len(set(runs)) == len(runs)
    assert blocks == sorted(blocks, key=blocks.index)  # a block is done before the next begins
    for arm in ("perturb", "baseline_2x", "position_only_2x"):
        assert [run.seed for run in runs if run.arm == arm and run.network == NETWORKS[0]] == list(TEN)
    for network in NETWORKS:
        assert {run.arm for run in runs if run.network == network and run.seed in FIVE} <= set(ARMS)
        assert [run.seed for run in runs if (run.arm, run.network) == ("baseline", network)] == list(FIVE)
    assert [run.arm for run in plan(NETWORKS[:1], [100])] == [run.arm for run in plan(NETWORKS[:1], [0])]
    for given in ({"arms": ["perturbed"]}, {"networks": ["vgg"]}):
        with pytest.raises(UserError, match=r"expected some of"):
            plan(**given)


@pytest.mark.parametrize("network", NETWORKS)
def test_arms_of_equal_operations_and_passes(network, data_directory):
    def cost(arm):
        here = [f"paths.data={data_directory}", "trainer.accelerator=cpu"]
        given = ["dataset=synthetic", *DRAWING, "recipe.batch_size=8", *here]
        return cost_of(composed(*Run(arm, network, 0).overrides(), *given), network, [])

    whole = cost("perturb").attention + cost("perturb").rest
    for arm in ("baseline_2x", "position_only_2x"):
        assert cost(arm).attention == 0
        assert 0.9 < cost(arm).rest / whole <= 1, arm
    assert cost("perturb_all").attention == cost("perturb").attention > 0
    assert cost("perturb_all").rest / cost("baseline_2x").rest == pytest.approx(1, abs=0.1)


def test_seeds_of_the_pilot_do_not_go_among_the_confirmatory_rows():
    for given in (["--seeds", "100"], ["--seeds", "0", "--override", "recipe.epochs=1"]):
        with pytest.raises(UserError, match="no part of the study"):
            study.main(given)


# tables, from made-up answers

LABEL = np.arange(2800) % 7


@pytest.fixture
def few_draws(monkeypatch):
    """A bootstrap of few draws: what it finds is tested with it."""
    monkeypatch.setattr(hierarchical, "RESAMPLES", 20)


def made_up(folder, arms, seeds=TEN):
    """confirm.csv and answers in which an arm recognises its share of each class, give or take a seed's luck."""
    write_arrays(folder / "labels.npz", {"label": LABEL.astype(np.int8), "ferplus": LABEL.astype(np.int8)})
    labels = read_arrays(folder / "labels.npz")
    for (arm, share), seed in ((pair, seed) for pair in arms.items() for seed in seeds):
        random = np.random.default_rng([seed, len(arm)])
        logits = {}
        for key in [f"{name}.{reading}" for name in SETS for reading in ("original", "views")] + [
            "whole.perturb_views"
        ]:
            wrong = random.permuted(np.arange(2800)) >= 2800 * (share + random.normal(0, 0.004))
            logits[key] = np.eye(7, dtype=np.float32)[(LABEL + wrong) % 7]
        file = folder / "logits" / f"{Run(arm, NETWORKS[0], seed).name}.npz"
        write_answers(file, logits)
        row = {"arm": arm, "network": NETWORKS[0], "seed": seed, "precision": "32-true", "device": "one", "epochs": 4}
        row |= {"attention_flops": 1, "predictor_flops": 1, "attention_seconds": 1, "predictor_seconds": 1}
        row |= {"public_accuracy": 0.5, "commit": "0" * 40}
        assert add_row(folder / "confirm.csv", row | scores_of(read_arrays(file), labels))
    return Results(folder)


def test_a_planted_gain_is_found_and_none_is_not_held(tmp_path, few_draws):
    results = made_up(tmp_path, {"perturb": 0.62, "baseline_2x": 0.60, "position_only_2x": 0.62})
    told = [*verdicts(results, NETWORKS[0]).values()]
    assert told[0].startswith("held (Holm")
    assert told[1].startswith("held (Holm")
    assert told[2].startswith("not held")
    text = page(tmp_path)
    gain = results.pairs(HYPOTHESES["H1: Perturb beats the baseline"][0], NETWORKS[0], "balanced_accuracy")
    assert np.mean(gain) == pytest.approx(2, abs=0.5)
    assert f"| `perturb` less `baseline_2x` | 10 | {np.mean(gain):+.2f} " in text
    assert "| `position_only_2x` | 10 | 4 |" in text
    assert "Ran on one." in text


def test_few_seeds_decide_nothing_and_one_is_no_error(tmp_path, few_draws):
    results = made_up(tmp_path, {"perturb": 0.60, "baseline_2x": 0.60}, seeds=range(1))
    assert all(told.startswith("undecided") for told in verdicts(results, NETWORKS[0]).values())
    assert "undecided" in page(tmp_path)


def test_a_pilot_s_rows_are_left_out_and_pairs_have_one_precision(tmp_path, few_draws):
    made_up(tmp_path, {"perturb": 0.62}, seeds=[0, 100])
    made_up(tmp_path, {"baseline_2x": 0.60}, seeds=[0])
    assert {run.seed for run in Results(tmp_path).rows} == {0}
    file = tmp_path / "confirm.csv"
    file.write_text(file.read_text().replace("32-true", "bf16-mixed", 1))
    with pytest.raises(UserError, match="differ in precision"):
        page(tmp_path)


def test_a_row_is_written_once(tmp_path):
    row = {"arm": "perturb", "network": NETWORKS[0], "seed": 0, "whole.original.accuracy": 0.123456789}
    file = tmp_path / "confirm.csv"
    assert add_row(file, row)
    assert not add_row(file, row | {"whole.original.accuracy": 0.5})
    assert add_row(file, row | {"seed": 1})
    rows = read_rows(file)
    assert [row["seed"] for row in rows] == ["0", "1"]
    assert {row["whole.original.accuracy"] for row in rows} == {"0.123457"}


def test_a_whole_run_s_answers_stay_below_100_kb(tmp_path):
    random = np.random.default_rng(0)
    readings = [f"{name}.{reading}" for name in SETS for reading in ("original", "views")]
    logits = {key: random.normal(0, 2.5, (3589, 7)).astype(np.float32) for key in readings}
    write_answers(tmp_path / "run.npz", logits)
    assert (tmp_path / "run.npz").stat().st_size < 100_000
    stored = read_arrays(tmp_path / "run.npz")
    assert {key: stored[key].dtype for key in ("mouth.views", "whole.views.logits")} == {
        "mouth.views": np.uint8,
        "whole.views.logits": np.float16,
    }
    assert np.abs(stored["whole.views.logits"] - logits["whole.views"]).max() < 0.01
    assert all(np.array_equal(stored[key], values.argmax(axis=1)) for key, values in logits.items())


def test_the_page_in_docs_is_what_the_results_give():
    written, results = (DOCS / "study_tables.md").read_text(), Results(HERE)
    assert f"{len(results.rows)} runs." in written
    for network in NETWORKS:
        for told in verdicts(results, network).values():
            assert f": **{told}**" in written
        for lines in (by_emotion(results, network), scores(results, network, "balanced_accuracy")):
            assert "\n".join(lines) in written
    assert explored(HERE / "explore.csv") in written
