"""A trained run is tested again: on other data, and under other maps."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from composing import TEST, TRAIN, VAL, composed, small, small_overrides
from omegaconf import OmegaConf

from fer_perturb.data.packing import make
from fer_perturb.data.readers.drawn_faces import DrawnFacesMaker
from fer_perturb.errors import UserError
from fer_perturb.evaluate import evaluate
from fer_perturb.runs.run_directory import read_summary, write_summary
from fer_perturb.tasks.training.write_predictions import predict
from fer_perturb.train import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture
def trained(data_directory, outputs):
    return lambda *overrides: train(small(data_directory, outputs, "recipe.epochs=1", "recipe.tta=flip", *overrides))[0]


@pytest.fixture
def evaluated(data_directory, outputs):
    def tested(*overrides):
        given = ("trainer.accelerator=cpu", "trainer.enable_progress_bar=false", f"paths.data={data_directory}")
        return evaluate(composed(*given, f"paths.outputs={outputs}", *overrides, name="evaluate"))

    return tested


def logits(file, inference="views"):
    rows = pq.read_table(file, filters=[("inference", "==", inference), ("view", "==", -1)])
    return np.stack([rows[name].to_numpy() for name in rows.column_names if name.startswith("logit_")], axis=1)


SCHEMES = [
    ["scheme=perturb"],
    ["scheme=perturb", "scheme/regions=dataset", "recipe.crop=40"],
    ["scheme=perturb_image"],
    ["scheme=perturb_image", "scheme/attention=own_gates", "model.attention.at=[stage1]"],
    ["scheme=most_attended", "scheme/regions=image"],
    ["scheme=landmarks"],
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=" ".join)
def test_on_its_own_data_it_finds_the_same(trained, evaluated, scheme):
    run = trained(*scheme)
    before = pq.read_table(run / "predictions" / "synthetic.parquet")
    file = evaluated(f"run={run}")
    assert file == run / "predictions" / "synthetic+again.parquet"
    assert pq.read_table(file).equals(before)


@pytest.fixture
def other_machine(monkeypatch):
    """One that computes a little differently."""
    monkeypatch.setattr(
        "fer_perturb.tasks.training.write_predictions.predict",
        lambda task, data, trainer: {split: values + 1e-4 for split, values in predict(task, data, trainer).items()},
    )


def test_what_a_run_predicted_stays_on_another_machine(trained, evaluated, data_directory, request):
    make(data_directory / "tested", DrawnFacesMaker(seed=6, train=8, val=9, test=10))
    run = trained("scheme=perturb", "seed=3", "test_on=[tested]")
    own = {file: file.read_bytes() for file in (run / "predictions").iterdir()}
    assert {file.name for file in own} == {"synthetic.parquet", "tested.parquet"}
    request.getfixturevalue("other_machine")
    for words in ((), ("dataset=synthetic", "dataset.name=tested")):
        file = evaluated(f"run={run}", *words)
        assert file.name == f"{'tested' if words else 'synthetic'}+again.parquet"
        before = logits(file.with_name(file.name.replace("+again", "")))
        np.testing.assert_allclose(logits(file), before + 1e-4, atol=2e-5)
        assert not np.array_equal(logits(file), before)
    assert {file: file.read_bytes() for file in own} == own
    assert read_summary(run, "run")["test"]  # the run is whole


def test_what_was_evaluated_is_no_part_of_the_run(trained, evaluated, data_directory):
    """It may be replaced or removed, even if the run is made whole in between."""
    make(data_directory / "passing", DrawnFacesMaker(seed=7, train=8, val=9, test=10))
    run = trained("scheme=perturb", "seed=3")
    file = evaluated(f"run={run}", "dataset=synthetic", "dataset.name=passing")
    (run / "predictions" / "synthetic.parquet").unlink()
    assert trained("scheme=perturb", "seed=3") == run
    file.unlink()
    assert set(read_summary(run, "run")["files"]) == {"config.yaml", "predictions/synthetic.parquet"}


@pytest.mark.parametrize("scheme", SCHEMES, ids=" ".join)
def test_under_its_own_maps_nothing_changes(trained, evaluated, scheme):
    run = trained(*scheme)
    file = evaluated(f"run={run}", f"views_from={run}")
    assert file.name == f"synthetic+views_from@{run.parent.name}-{run.name}.parquet"
    assert pq.read_table(file).equals(pq.read_table(run / "predictions" / "synthetic.parquet"))


@pytest.mark.parametrize("scheme", [SCHEMES[0], SCHEMES[2], SCHEMES[3], SCHEMES[5]], ids=" ".join)
def test_a_baseline_under_perturb_s_views(trained, evaluated, scheme):
    baseline, perturb = trained("scheme=baseline"), trained(*scheme)
    file = evaluated(f"run={baseline}", f"views_from={perturb}")
    own = baseline / "predictions" / "synthetic.parquet"
    assert np.array_equal(logits(file, "original"), logits(own, "original"))  # masks off: the image alone
    assert not np.allclose(logits(file), logits(file, "original"), atol=1e-3)
    # the baseline's network under those maps, and not the other's network
    assert not np.allclose(logits(file), logits(perturb / "predictions" / "synthetic.parquet"), atol=1e-3)


def test_on_other_data(trained, evaluated, data_directory, outputs):
    other = make(data_directory / "other", DrawnFacesMaker(seed=5, train=8, val=9, test=10))
    run = trained("scheme=perturb")
    drawing = ("dataset.drawing.seed=5", "dataset.drawing.train=8", "dataset.drawing.val=9", "dataset.drawing.test=10")
    file = evaluated(f"run={run}", "dataset=synthetic", "dataset.name=other", *drawing)
    assert file == run / "predictions" / "other.parquet"
    rows = pq.read_table(
        file, filters=[("split", "==", "test"), ("inference", "==", "original"), ("tta", "==", "none")]
    )
    assert rows["name"].to_pylist() == other.splits["test"].names


def test_what_cannot_be_tested_is_said(trained, evaluated, tmp_path):
    baseline, perturb = trained("scheme=baseline"), trained("scheme=perturb")
    cropped = trained("scheme=perturb", "recipe.crop=40")
    for given, says in (
        ([], "run= is missing"),
        ([f"run={tmp_path}"], f"run={tmp_path} holds no summary.json"),
        ([f"run={perturb}", f"views_from={baseline}"], "hides nothing"),
        ([f"run={perturb}", f"views_from={trained('scheme=copies')}"], "hides nothing"),
        ([f"run={perturb}", f"views_from={cropped}"], "the same recipe.crop"),
    ):
        with pytest.raises(UserError) as raised:
            evaluated(*given)
        assert says in str(raised.value)


def test_nothing_is_drawn_or_overwritten_in_the_place_of_a_run_s_data(trained, evaluated, data_directory):
    """`dataset=synthetic` composes another drawing than the run's: the data stay, and so do the predictions."""
    run = trained("scheme=perturb")
    manifest = data_directory / "synthetic" / "manifest.json"
    before = manifest.read_bytes(), pq.read_table(run / "predictions" / "synthetic.parquet")
    file = evaluated(f"run={run}", "dataset=synthetic")
    assert file.name == "synthetic+again.parquet"
    assert (manifest.read_bytes(), pq.read_table(file)) == before


def test_a_run_s_own_data_must_be_those_it_was_trained_on(data_directory, tmp_path):
    data = tmp_path / "data"
    given = [o for o in small_overrides(data, tmp_path / "outputs") if not o.startswith("recipe.epochs")]
    run, _ = train(composed(*given, "recipe.epochs=1", "scheme=baseline"))
    make(data / "synthetic", DrawnFacesMaker(seed=9, train=TRAIN, val=VAL, test=TEST))
    given = ("trainer.accelerator=cpu", "trainer.enable_progress_bar=false", f"paths.data={data}")
    with pytest.raises(UserError, match="was trained on other data than those that lie at"):
        evaluate(composed(*given, f"run={run}", name="evaluate"))


def test_a_run_of_before_files_had_checksums(trained, evaluated):
    run = trained("scheme=baseline", "seed=7")
    summary = json.loads((run / "summary.json").read_text())
    for key in ("files", "checksum"):
        del summary[key]
    (run / "summary.json").write_text(json.dumps(summary))
    before = pq.read_table(run / "predictions" / "synthetic.parquet")
    assert pq.read_table(evaluated(f"run={run}")).equals(before)


@pytest.fixture
def recorded(trained, tmp_path):
    """A copy of a run whose config.yaml says something else than what it was trained with."""

    def recorded_as(key, value):
        run = shutil.copytree(trained("scheme=baseline", "seed=8"), tmp_path / "run")
        config = OmegaConf.load(run / "config.yaml")
        OmegaConf.update(config, key, value, force_add=True)
        OmegaConf.save(config, run / "config.yaml")
        summary = json.loads((run / "summary.json").read_text())
        write_summary(run, {name: of for name, of in summary.items() if name not in ("files", "checksum")})
        return run

    return recorded_as


def test_a_run_trained_in_float16_is_tested_on_a_cpu(recorded, evaluated, capsys):
    run = recorded("recipe.precision", "16-mixed")
    file = evaluated(f"run={run}")
    told = " ".join(capsys.readouterr().out.split())
    assert "was trained in recipe.precision=16-mixed, which needs a GPU; it is tested in 32-true" in told
    assert pq.read_table(file).equals(pq.read_table(run / "predictions" / "synthetic.parquet"))


def test_what_this_machine_lacks_is_not_taken_for_an_unknown_setting(recorded, evaluated):
    with pytest.raises(UserError, match=r"^trainer: Lightning cannot run this"):
        evaluated(f"run={recorded('recipe.name', 'own')}", "trainer.accelerator=abacus")


@pytest.mark.parametrize("key", ["scheme.since_then", "recipe.since_then"])
def test_settings_of_another_version_are_told(recorded, evaluated, key):
    run = recorded(key, 1)
    with pytest.raises(UserError, match=rf"settings that this version does not know \(commit .*{key}"):
        evaluated(f"run={run}")


def test_the_command_shows_the_scores(commands, trained, data_directory):
    run = trained("scheme=perturb")
    shown = commands("evaluate", f"run={run}", f"paths.data={data_directory}", "trainer.accelerator=cpu")
    assert shown.status == 0, shown.err
    for word in ("image alone", "views", "flip", "none", "accuracy", f"{run}/predictions/synthetic+again.parquet"):
        assert word in shown.out
