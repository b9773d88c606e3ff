"""Known densities lead to known verdicts, on one seed and on several, and what is missing is said."""

import numpy as np
import pytest
from generated_saliency import generated

from fer_perturb.saliency.comparing import Comparison, Verdict, comparisons
from fer_perturb.saliency.sentences import HELD, MASKED, NOT_HELD, PERTURB, SENTENCES, UNDECIDED, WHOLE


def said(of: Comparison) -> dict[str, Verdict]:
    return {verdict.sentence.reading: verdict for verdict in of.verdicts()}


ALL = ("gradient", "integrated gradients", "Grad-CAM", "attention")
PAPER = {
    "whole": {"brows": 1.0, "eyes": 2.0, "mouth": 1.5, "nose": 1.5},
    "masked": {"brows": 2.0},
    "perturb": {"brows": 1.4, "eyes": 2.2, "mouth": 2.5, "nose": 1.1},
}


def as_the_paper_says() -> list:
    return [
        generated(PAPER["whole"]),
        generated(PAPER["masked"], kind="maskfer"),
        generated(PAPER["perturb"], scheme="perturb", methods=ALL, clusters=0.9),
    ]


def test_a_world_as_the_paper_says_it_is_holds() -> None:
    (of,) = comparisons(as_the_paper_says())
    words = {verdict.sentence.reading: verdict.word for verdict in of.verdicts()}
    assert words.pop("nothing says which features are optimal") == UNDECIDED
    assert set(words.values()) == {HELD}, words


def test_the_other_way_round_nothing_holds() -> None:
    runs = [
        generated({"brows": 2.0, "mouth": 2.0, "nose": 1.0, "eyes": 2.0}),
        generated({"brows": 0.5}, kind="maskfer"),
        generated({"brows": 0.5, "mouth": 0.5, "nose": 2.0, "eyes": 0.5}, scheme="perturb", methods=ALL, clusters=0.1),
    ]
    (of,) = comparisons(runs)
    words = [verdict.word for verdict in of.verdicts() if verdict.sentence.arm]
    assert set(words) == {NOT_HELD}


def test_where_networks_do_not_differ_nothing_is_decided() -> None:
    (of,) = comparisons([generated(PAPER["whole"]), generated(PAPER["whole"], scheme="perturb", seed=0)])
    found = said(of)["on fearful faces they look less at the nose than the baseline"]
    assert found.word == UNDECIDED
    assert not found.why
    assert all(number.low <= 0 <= number.high for number in found.numbers.values())


def test_estimators_that_disagree_decide_nothing() -> None:
    run = generated({"brows": 2.0}, kind="maskfer")
    run.faces.loc[run.faces["method"] == "Grad-CAM", "share_brows"] *= 0.25
    (of,) = comparisons([run])
    assert said(of)["on angry faces it looks at the brows more than at other pixels"].word == UNDECIDED


def test_an_emotion_is_looked_at_alone() -> None:
    run = generated({}, kind="maskfer", of_emotion={("angry", "brows"): 3.0})
    (of,) = comparisons([run])
    assert said(of)["on angry faces it looks at the brows more than at other pixels"].word == HELD
    assert of.densities(MASKED, "gradient", ("angry",))[0].value == pytest.approx(3, abs=0.2)
    assert of.densities(MASKED, "gradient", ("happy",))[0].value == pytest.approx(1, abs=0.1)
    assert of.densities(MASKED, "gradient")[0].value == pytest.approx(9 / 7, abs=0.1)


def test_what_is_missing_is_said() -> None:
    (of,) = comparisons([generated({})])
    why = {reading: verdict.why for reading, verdict in said(of).items()}
    assert why["on angry faces it looks at the brows more than at other pixels"] == (
        "no baseline trained on masked faces was looked at"
    )
    (of,) = comparisons([generated({}), generated({}, scheme="perturb", seed=1)])
    found = said(of)
    assert found["on fearful faces they look less at the nose than the baseline"].why == "no two runs of the same seed"
    assert found["attention lies on the mouth more than on other pixels"].why == "no attention"
    assert {verdict.why for verdict in of.verdicts() if "cluster" in verdict.sentence.words} == {"no clusters"}


def test_seeds_are_paired_and_widen_the_interval() -> None:
    levels = (1.0, 1.5, 2.0)
    one = [generated({"mouth": level}, seed=seed) for seed, level in enumerate(levels)]
    more = [generated({"mouth": level + 0.5}, scheme="perturb", seed=seed) for seed, level in enumerate(levels)]
    (several,) = comparisons(one + more)
    (single,) = comparisons([one[1], more[1]])
    assert several.arms[PERTURB].seeds == [0, 1, 2]
    assert {verdict.seeds for verdict in several.verdicts() if not verdict.why} == {3}
    wide, narrow = (of.densities(WHOLE, "gradient")[3] for of in (several, single))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
    difference = several.differences(PERTURB, WHOLE, "gradient")[3]
    assert difference.value == pytest.approx(0.5, abs=0.05)
    assert difference.high - difference.low < 0.2, "the seeds' own levels cancel"
    assert len(several.agreement_of_seeds(WHOLE)) == 3


def test_runs_that_are_not_alike_are_not_compared_and_unplaced_faces_are_left_out() -> None:
    one, other = generated({}), generated({}, scheme="perturb")
    other.about["epochs"] = 8
    assert [list(of.arms) for of in comparisons([one, other])] == [[WHOLE], [PERTURB]]
    (firm,), (every,) = comparisons([one]), comparisons([one], placed=False)
    assert not firm.all_placed
    assert (len(firm.rows(())), len(every.rows(()))) == (126, 140)
    assert len(every.rows(("sad",))) == 20


def test_settings_of_a_sweep_are_arms_of_their_own() -> None:
    runs = [generated({}, scheme="perturb", seed=seed) for seed in (0, 1, 0)]
    runs[2].about["chosen"] = "0123456789abcdef"
    (of,) = comparisons([runs[2], *runs[:2]])
    assert {name: arm.seeds for name, arm in of.arms.items()} == {PERTURB: [0, 1], "perturb (01234567)": [0]}


def test_every_sentence_is_of_parts_and_emotions_that_there_are() -> None:
    known = generated({})
    for sentence in SENTENCES:
        assert set(sentence.emotions) <= set(known.classes)
        assert np.isfinite(sentence.bound)
