"""The ensemble is the mean of its members' logits."""

import shlex

import numpy as np
import pyarrow.parquet as pq
import pytest
from composing import DRAWING, composed, small

from fer_perturb.analysis.ensemble import mean_predictions
from fer_perturb.errors import UserError
from fer_perturb.evaluate import evaluate
from fer_perturb.train import train

MEMBERS = ("resnet_tiny", "seresnet_light")


@pytest.fixture(scope="module")
def members(data_directory, tmp_path_factory):
    outputs = tmp_path_factory.mktemp("outputs")
    return outputs, [train(config_of(data_directory, outputs, name)) for name in MEMBERS]


def config_of(data, outputs, name, scheme="baseline"):
    config = small(data, outputs, f"scheme={scheme}")
    config.model = composed(f"model={name}").model
    if name == "ensemble":
        config.model.members = {member: composed(f"model={member}").model for member in MEMBERS}
    return config


def test_its_logits_are_the_means(data_directory, members):
    outputs, trained = members
    run, summary = train(config_of(data_directory, outputs, "ensemble"))
    tables = [pq.read_table(one / "predictions" / "synthetic.parquet") for one in (run, *(r for r, _ in trained))]
    for name in ("logit_happy", "logit_sad"):
        mixed, *alone = (table[name].to_numpy() for table in tables)
        np.testing.assert_allclose(mixed, (alone[0] + alone[1]) / 2, rtol=1e-5, atol=1e-6)
    assert tables[0]["sha256"] == tables[1]["sha256"]
    assert summary["members"].keys() == set(MEMBERS)
    assert summary["train_seconds"] == pytest.approx(sum(one["train_seconds"] for _, one in trained))
    assert 0 <= summary["test"]["accuracy"] <= 1


def test_a_missing_member_is_named_with_the_command_that_trains_it(data_directory, members):
    outputs, _ = members
    with pytest.raises(
        UserError, match=r"resnet_tiny, seresnet_light not trained yet.*\n.*fer_perturb.train model=resnet_tiny\n"
    ):
        train(config_of(data_directory, outputs, "ensemble", scheme="position_only"))


def test_a_member_of_other_code_or_data_counts_as_missing(data_directory, members, monkeypatch):
    from fer_perturb.tasks.phases import predictor_phase as predictor

    outputs, _ = members
    monkeypatch.setattr(predictor, "VERSION", predictor.VERSION + 1)
    with pytest.raises(UserError, match="not trained yet"):
        train(config_of(data_directory, outputs, "ensemble"))


def test_what_is_set_on_the_whole_is_refused(data_directory, members):
    config = config_of(data_directory, members[0], "ensemble")
    config.model.attention.at = ["stage1"]
    with pytest.raises(UserError, match=r"model\.members"):
        train(config)


def test_a_budget_that_a_member_cannot_meet_names_the_member(data_directory, members):
    outputs, trained = members
    config = config_of(data_directory, outputs, "ensemble", scheme="perturb")
    config.budget, config.budget_of = "flops", str(trained[0][0])  # that of the smaller member, without a phase 1
    with pytest.raises(UserError, match=r"model\.members\.resnet_tiny: budget=flops: one epoch takes"):
        train(config)


def test_the_command_line_says_how_to_train_a_member(commands, tmp_path):
    words = ["model=ensemble_small", "dataset=synthetic", "seed=5",
               "model.members.dpn_small.attention.at=[stage1]", "+model.members.dpn_small.kwargs.drop_rate=0.1",
               *DRAWING, f"paths.data={tmp_path}",
               f"paths.outputs={tmp_path}"]  # fmt: skip
    done = commands("train", *words)
    assert done.status == 2
    lines = [shlex.split(line) for line in done.err.splitlines() if line.startswith("  python")]
    assert len(lines) == 5
    (dpn,) = (line for line in lines if "model=dpn_small" in line)
    assert {"model.attention.at=[stage1]", "+model.kwargs.drop_rate=0.1"} <= set(dpn)
    assert {"dataset=synthetic", "seed=5"} <= set(dpn)
    others = {part for line in lines if line is not dpn for part in line}
    assert not any("attention" in part or "members" in part or "drop_rate" in part for part in others)


@pytest.mark.slow
def test_it_is_tested_again_member_by_member(data_directory, members):
    outputs, trained = members
    run, _ = train(config_of(data_directory, outputs, "ensemble"))
    perturb, _ = train(config_of(data_directory, outputs, "resnet_tiny", scheme="perturb"))
    given = (f"paths.data={data_directory}", f"paths.outputs={outputs}", f"run={run}", f"views_from={perturb}")
    config = composed("trainer.accelerator=cpu", "trainer.enable_progress_bar=false", *given, name="evaluate")
    file = evaluate(config)
    assert file == run / "predictions" / f"synthetic+views_from@perturb-{perturb.name}.parquet"
    mixed, *alone = (
        pq.read_table(one / "predictions" / file.name)["logit_happy"].to_numpy()
        for one in (run, *(r for r, _ in trained))
    )
    np.testing.assert_allclose(mixed, (alone[0] + alone[1]) / 2, rtol=1e-5, atol=1e-6)
    member, _ = trained[1]
    away = member.rename(member.with_name("away"))
    with pytest.raises(UserError, match=r"a mean of runs, of which seresnet_light is not at .*seed0-"):
        evaluate(config)
    away.rename(member)


def test_other_rows_are_not_averaged(members):
    (run, _), _ = members[1]
    path = run / "predictions" / "synthetic.parquet"
    other = path.with_name("reversed.parquet")
    table = pq.read_table(path)
    pq.write_table(table.take(np.arange(len(table))[::-1]), other)
    with pytest.raises(UserError, match="reversed"):
        mean_predictions([path, other])


@pytest.mark.parametrize(("name", "members"), [("ensemble", 5), ("ensemble_small", 5), ("ensemble_quick", 2)])
def test_members_are_composed_as_they_would_be_alone(name, members):
    found = composed(f"model={name}").model.members
    assert len(found) == members
    assert all(found[member] == composed(f"model={member}").model for member in found)
