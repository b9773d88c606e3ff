"""The ensemble is the mean of its members' logits."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from composing import composed, small

from fer_perturb.analysis.ensemble import mean_predictions
from fer_perturb.errors import UserError
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
    with pytest.raises(UserError, match="-m model=resnet_tiny,seresnet_light"):
        train(config_of(data_directory, outputs, "ensemble", scheme="position_only"))


def test_other_rows_are_not_averaged(members):
    (run, _), _ = members[1]
    path = run / "predictions" / "synthetic.parquet"
    other = path.with_name("reversed.parquet")
    table = pq.read_table(path)
    pq.write_table(table.take(np.arange(len(table))[::-1]), other)
    with pytest.raises(UserError, match="reversed"):
        mean_predictions([path, other])


@pytest.mark.parametrize("name", ["ensemble", "ensemble_small"])
def test_members_are_composed_as_they_would_be_alone(name):
    found = composed(f"model={name}").model.members
    assert len(found) == 5
    assert all(found[member] == composed(f"model={member}").model for member in found)
