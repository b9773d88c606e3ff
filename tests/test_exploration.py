"""Exploration keeps PublicTest's numbers alone, every run once, and stops at its limit."""

import pytest
from composing import composed, small_overrides

from fer_perturb.errors import UserError
from fer_perturb.train import train
from results import exploration
from results.exploration import HERE, LIMIT, SEEDS, SETTINGS, add, row_of, table
from results.plan import PILOT
from results.record import read_rows


def test_what_was_run_is_what_the_settings_say():
    assert len(set(SETTINGS.values())) == len(SETTINGS)
    assert min(SEEDS) >= PILOT
    rows = read_rows(HERE / "explore.csv")
    assert 0 < len(rows) <= LIMIT
    for row in rows:
        assert tuple(row["overrides"].split()) == SETTINGS[row["setting"]]
        assert int(row["seed"]) in SEEDS


def test_a_row_holds_nothing_of_the_test_split(data_directory, tmp_path):
    directory, _ = train(composed(*small_overrides(data_directory, tmp_path), "scheme=perturb"))
    row = row_of("perturb", directory, "one")
    assert not any("test" in key or "private" in key for key in row)
    assert 0 <= row["public_accuracy"] <= 1
    assert row["attention_epochs"] > 0


def test_rows_are_kept_in_order_and_told_by_their_mean(tmp_path):
    path = tmp_path / "explore.csv"
    fact = {"epochs": 4, "attention_epochs": 0, "pflop": 0.1, "public_balanced_accuracy": 0.4, "overrides": "a=1"}
    for setting, seed, score in (("perturb", 101, 0.6), ("baseline", 100, 0.5), ("perturb", 100, 0.7)):
        add(path, {"setting": setting, "seed": seed, "public_accuracy": score, **fact})
    assert [(row["setting"], row["seed"]) for row in read_rows(path)] == [
        ("baseline", "100"),
        ("perturb", "100"),
        ("perturb", "101"),
    ]
    assert [line.split(" | ")[0] for line in table(path).splitlines()[2:]] == ["| perturb", "| baseline"]
    assert "| 2 | 65.0 | 40.0 |" in table(path)


def test_no_more_runs_than_the_protocol_allows(tmp_path, monkeypatch):
    monkeypatch.setattr(exploration, "LIMIT", 0)
    with pytest.raises(UserError, match="allows 0"):
        exploration.main(["--to", str(tmp_path), "--settings", "baseline"])
    with pytest.raises(UserError, match="expected some of"):
        exploration.main(["--to", str(tmp_path), "--settings", "best"])
