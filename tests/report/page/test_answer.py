"""The paragraph on top, of runs whose truth is known."""

from pathlib import Path

import pytest
from predicted_runs import predicted_runs

from fer_perturb.analysis.collected import find
from fer_perturb.report.page.answer import Answer, answer, verdict_of
from fer_perturb.report.page.contrasts import contrasts
from fer_perturb.report.page.fields import fields

SEEDS = range(4)


def answered(outputs: Path) -> Answer:
    of, _ = fields(find([outputs])[0])
    compared, _ = contrasts(of)
    return answer(compared, of)


@pytest.mark.parametrize(
    ("baseline", "perturb", "verdict", "headline"),
    [
        (0.5, 0.9, "yes", "Yes, it helps"),
        (0.9, 0.5, "harms", "No, it harms"),
        (0.6, 0.6, "open", "These runs cannot tell"),
        (1.0, 1.0, "no", "No gain worth having"),
    ],
)
def test_it_says_what_the_interval_says(tmp_path, baseline, perturb, verdict, headline):
    predicted_runs(tmp_path, ["scheme=baseline"], SEEDS, baseline)
    predicted_runs(tmp_path, ["scheme=perturb"], SEEDS, perturb)
    found = answered(tmp_path)
    assert (found.verdict, found.headline) == (verdict, headline)
    assert verdict_of(found.contrast) == verdict
    assert "`perturb` (mean over the views) is " in found.sentences[0]
    assert "over 4 paired seeds and the test images" in found.sentences[0]
    assert any("`budget=flops`" in of for of in found.would_change)
    assert any("the paper for 200" in of for of in found.would_change)


def test_one_seed_has_no_interval(tmp_path):
    predicted_runs(tmp_path, ["scheme=baseline"], [0], 0.5)
    predicted_runs(tmp_path, ["scheme=perturb"], [0], 0.9)
    found = answered(tmp_path)
    assert found.verdict == "open"
    assert "in one seed. That has no interval" in found.sentences[0]
    assert found.would_change[0].startswith("More seeds")


@pytest.mark.parametrize(
    ("schemes", "seeds", "told"),
    [
        ([], [], "There is no finished run yet"),
        (["perturb"], [0], "no run of the baseline"),
        (["baseline", "copies"], [0, 0], "no run of the Perturb Scheme"),
        (["baseline", "perturb"], [0, 1], "no two that share"),
    ],
)
def test_it_says_why_it_cannot_be_told(tmp_path, schemes, seeds, told):
    for scheme, seed in zip(schemes, seeds, strict=True):
        predicted_runs(tmp_path, [f"scheme={scheme}"], [seed], 0.5)
    found = answered(tmp_path)
    assert (found.verdict, found.contrast) == ("untold", None)
    assert told in found.sentences[0]


def test_controls_are_named_by_what_they_are(tmp_path):
    for scheme, right in (("baseline", 0.5), ("perturb", 0.8), ("position_only", 0.8), ("moved_maps", 0.3)):
        predicted_runs(tmp_path, [f"scheme={scheme}"], SEEDS, right)
    found = answered(tmp_path)
    assert found.verdict == "yes"
    (beside,) = [of for of in found.sentences if of.startswith("Beside its controls")]
    assert "above `moved_maps`" in beside
    assert "not to be told from `position_only`" in beside
    (missing,) = [of for of in found.would_change if of.startswith("Controls that are missing")]
    assert "`copies`" in missing
    assert "`position_only`" not in missing


def test_faces_of_people_and_equal_cost_decide(tmp_path):
    """Before drawn faces, however many seeds these have, and before a baseline that spent less."""
    drawn = ["dataset=synthetic"]
    for scheme, right in (("baseline", 0.9), ("perturb", 0.4)):
        predicted_runs(tmp_path, [f"scheme={scheme}", *drawn], range(8), right)
        predicted_runs(tmp_path, [f"scheme={scheme}"], range(3), 1.3 - right)
    found = answered(tmp_path)
    assert found.contrast.field.dataset == "fer2013"
    assert found.verdict == "yes"
    assert any("1 show a loss" in of for of in found.sentences)


def test_fields_of_one_name_are_told_apart(tmp_path):
    predicted_runs(tmp_path, ["scheme=baseline"], [0], 0.5)
    predicted_runs(tmp_path, ["scheme=baseline", "recipe.mixup=0.5"], [0], 0.5)
    found, _ = fields(find([tmp_path])[0])
    assert sorted(field.differing for field in found) == [", recipe.mixup=0.0", ", recipe.mixup=0.5"]


def test_settings_of_one_scheme_are_told_apart(tmp_path):
    predicted_runs(tmp_path, ["scheme=baseline"], [0, 1], 0.5)
    predicted_runs(tmp_path, ["scheme=baseline", "recipe.epochs=40"], [0, 1], 0.5)
    predicted_runs(tmp_path, ["scheme=perturb", "scheme.regions.n_clusters=5"], [0, 1], 0.5)
    predicted_runs(tmp_path, ["scheme=perturb"], [0], 0.5)
    (field,), told = fields(find([tmp_path])[0])
    assert told == []
    names = {setting.name for setting in field.settings}
    assert "perturb, regions.n_clusters=5" in names
    assert "perturb, regions.n_clusters=3" in names
    assert "baseline, epochs=40" in names
    compared, _ = contrasts([field])
    assert {(of.first.scheme, of.second.scheme) for of in compared} == {("perturb", "baseline")}
    assert len(compared) == 2 * 2 * 2  # two of each, in two readings
