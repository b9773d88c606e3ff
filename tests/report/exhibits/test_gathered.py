"""Whatever runs there are make their tables and figures, by numbers that are known; and no run breaks another's."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from generated_runs import generated_runs
from safetensors.numpy import save_file
from scipy.special import stdtrit

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.paper.values import networks
from fer_perturb.report.exhibits.axes import figure5
from fer_perturb.report.exhibits.exhibit import Exhibit
from fer_perturb.report.exhibits.gathered import tables_of
from fer_perturb.report.experiment_tables import write_exhibit
from fer_perturb.report.settings import Run, named_settings
from fer_perturb.runs.summary_file import sealed_summary
from fer_perturb.tables import Table

PERTURB = "scheme=perturb"
SWEEP = [
    ["scheme=baseline"], [PERTURB], [PERTURB, "scheme.regions.n_clusters=2"], ["scheme=position_only"],
    [PERTURB, "scheme/views=sample", "scheme.views.clean_share=0.75"],
    ["scheme=baseline", "dataset=synthetic"], [PERTURB, "dataset=synthetic"],
]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    outputs = tmp_path_factory.mktemp("outputs")
    common = ["model=dpn_small", "recipe=cpu"]
    return [
        (run, sealed_summary(run, str(run)))
        for run in generated_runs(outputs, [[*common, *of] for of in SWEEP], (0, 1, 2))
    ]


def column(table: Table, heading: str) -> list[str]:
    place = [of.heading for of in table.columns].index(heading)
    return [row[place] for row in table.texts]


def edited(run: Run, **parts: Any) -> Run:
    return run[0], {**run[1], **parts}


def scored(run: Run, accuracy: float) -> Run:
    """By the scheme's reading; 0.4 by the image alone."""
    alone = {**run[1]["test_original"], "balanced_accuracy": 0.4}
    return edited(run, test={**run[1]["test"], "balanced_accuracy": accuracy}, test_original=alone)


def test_no_runs_say_what_makes_the_paper_s_tables() -> None:
    found, told = tables_of([])
    assert (list(found), told) == (["table1", "table2"], [])
    names = ",".join(next(iter(ours)) for ours in networks().values())
    assert found["table1"].tables[0].commands == (f'make table1 ARGS="recipe=paper model={names}"',)
    assert found["table2"].tables[1].commands == (f'make table2 ARGS="scale=paper model={names}"',)


def test_what_runs_of_several_sweeps_fill(runs: list[Run], tmp_path: Path) -> None:
    found, told = tables_of(runs)
    lacking = "feature_removal of fer2013, recipe cpu, dpn_small cannot be made"  # these runs have no predictions
    assert [sentence.split(":")[0] for sentence in told] == [lacking]
    of_all, of_each = ["table1", "table2", "figure3", "budgets"], ["figure5", "controls", "controls-2", "hidden_share"]
    assert list(found) == [*of_all, *of_each]
    assert len(found["figure3"].tables) == 2
    assert found["controls-2"].title == "Is it the scheme?: synthetic, recipe cpu"
    for name, exhibit in found.items():
        write_exhibit(exhibit, tmp_path / f"{name}.md", "")
        for ending in ("md", "html", "csv"):
            assert exhibit.tables[0].texts[0][0].strip("`") in (tmp_path / f"{name}.{ending}").read_text()
        assert r"\toprule" in (tmp_path / f"{name}.tex").read_text()
    table2 = found["table2"].tables[0]
    ours = [row for row in table2.texts if row[0] == "dpn_small"]
    # the settings that the paper has, not the other variants; drawn faces beside FER2013
    assert [row[1:3] for row in ours] == [["fer2013, recipe cpu", "0, 1, 2"], ["synthetic, recipe cpu", "0, 1, 2"]]


def test_other_classes_have_a_table_of_their_own(runs: list[Run]) -> None:
    calm = {"calm": {"accuracy": 0.5, "f1": 0.5, "support": 9}, "tense": {"accuracy": 0.25, "f1": 0.5, "support": 9}}
    drawn = [run for run in runs if "synthetic" in str(run[0])]
    theirs = [edited(run, dataset="mine", test={**run[1]["test"], "per_class": calm}) for run in drawn]
    found, _ = tables_of([*runs[:6], *theirs])
    _, table3, beside = found["table2"].tables
    assert [column.heading for column in table3.columns[3:]] == list(EMOTIONS)
    assert [column.heading for column in beside.columns[3:]] == ["calm", "tense"]
    assert beside.texts[0][3:] == ["+0.0 [+0.0, +0.0]"] * 2


def test_variants_are_told_by_what_differs_from_the_paper_s(runs: list[Run]) -> None:
    of = named_settings(runs)["fer2013, recipe cpu"]
    sampled = "perturb, views=SampledView, views.clean_share=0.75"
    assert {run[1]["scheme"] for run in of} == {
        "baseline", "perturb", "perturb, regions.n_clusters=2", sampled, "position_only"
    }  # fmt: skip


def test_settings_of_one_name_are_told_apart_by_their_keys(tmp_path: Path) -> None:
    made = generated_runs(tmp_path, [["scheme=baseline", f"recipe.epochs={n}"] for n in (3, 4)], (0,))
    of = [(run, sealed_summary(run, str(run))) for run in made]
    (recipe,) = {run[1]["recipe"] for group in named_settings(of).values() for run in group}
    assert list(named_settings(of)) == [f"fer2013, recipe {recipe}, recipe.epochs={n}" for n in (3, 4)]


def test_the_difference_from_the_baseline(runs: list[Run]) -> None:
    """Without predictions it is of seeds alone: Student's t of known differences."""
    values = {"baseline": (0.50, 0.52, 0.54), "perturb": (0.56, 0.58, 0.63), "position_only": (0.50, 0.52, 0.54)}
    of = [
        scored(run, values[run[1]["scheme"]][run[1]["seed"]])
        for run in runs[:6] + runs[9:12]
    ]  # fmt: skip
    (table,) = tables_of(of)[0]["controls"].tables
    assert column(table, "scheme") == ["`baseline`", *["`perturb`"] * 2, *["`position_only`"] * 2]
    assert column(table, "read by") == ["image alone", *["views", "image alone"] * 2]
    assert column(table, "balanced accuracy") == ["52.0 ± 2.0", "59.0 ± 3.6", "40.0 ± 0.0", "52.0 ± 2.0", "40.0 ± 0.0"]
    assert column(table, "difference")[:2] == ["", "+7.0 [+2.7, +11.3]"]
    assert column(table, "difference")[3] == "+0.0 [+0.0, +0.0]"
    # Student's t of 6, 6 and 9 points has a p of 0.0198; of 10, 12 and 14 less one of 0.0093, which goes before
    assert column(table, "p") == ["", "0.04", "0.037", "1", "0.037"]


def predicting(run: Run, right: list[int], folder: Path) -> Run:
    """A copy of a run whose predictions, image alone, are right on so many of each emotion's ten images."""
    made = folder / run[0].relative_to(run[0].parents[3])
    (made / "predictions").mkdir(parents=True)
    for name in ("config.yaml", "summary.json"):
        (made / name).write_bytes((run[0] / name).read_bytes())
    labels = np.arange(70) // 10
    hit = np.arange(70) % 10 < np.array(right)[labels]
    logits = np.eye(7)[np.where(hit, labels, (labels + 1) % 7)]
    columns = {
        "split": ["test"] * 70, "name": [f"face{k}" for k in range(70)], "sha256": [f"{k:064}" for k in range(70)],
        "label": labels, "inference": ["original"] * 70, "tta": [run[1]["tta"]] * 70, "view": [-1] * 70,
    } | {f"logit_{name}": logits[:, k] for k, name in enumerate(EMOTIONS)}  # fmt: skip
    pq.write_table(pa.table(columns), made / "predictions" / "fer2013.parquet")
    return made, run[1]


def test_the_difference_from_the_baseline_by_predictions(runs: list[Run], tmp_path: Path) -> None:
    """Of seeds and images, where there are predictions; of a reading without any, over seeds alone."""
    right = {"baseline": ([4] * 7, [5] * 7, [6] * 7), "perturb": ([7] * 7, [7] * 7, [10] * 7)}
    of = [predicting(run, right[run[1]["scheme"]][run[1]["seed"]], tmp_path) for run in runs[:6]]
    table = tables_of(of)[0]["controls"].tables[0]
    _, _, alone = table.rows
    headings = [of.heading for of in table.columns]
    difference = alone[headings.index("difference")]
    assert table.texts[2][headings.index("read by")] == "image alone"
    assert difference.value == pytest.approx(30)  # 30, 20 and 40 points
    assert difference.low is not None
    # between Student's t of three seeds and the normal's: images add to the error, and to its degrees of freedom
    assert 30 - 10 / np.sqrt(3) * stdtrit(2, 0.975) < difference.low < 30 - 10 / np.sqrt(3) * 1.96
    assert table.texts[2][headings.index("better") :] == ["100", "epochs, passes"]  # phase 1 has operations, too


def five(runs: list[Run], values: dict[int, tuple[float, ...]]) -> Exhibit:
    """Figure 5 of runs that score such balanced accuracies with so many clusters."""
    first = runs[3]
    of = [
        scored(edited((first[0], first[1]), seed=seed), value)
        for n in values
        for seed, value in enumerate(values[n])
    ]  # fmt: skip
    places = [n for n in values for _ in values[n]]
    chosen = [
        edited(run, chosen={"regions.n_clusters": n}, scheme=f"perturb, regions.n_clusters={n}", kind="perturb")
        for run, n in zip(of, places, strict=True)
    ]
    found = figure5(chosen)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({2: (0.5, 0.51, 0.5), 3: (0.6, 0.62, 0.6), 4: (0.55, 0.56, 0.55)}, "held"),
        ({2: (0.5, 0.51, 0.5), 3: (0.6, 0.62, 0.6), 4: (0.65, 0.66, 0.65)}, "not held"),
        ({2: (0.5, 0.6, 0.55), 3: (0.6, 0.5, 0.55)}, "not decidable"),
        ({2: (0.5,), 3: (0.6,)}, "not decidable"),
        ({2: (0.5, 0.5, 0.5), 4: (0.6, 0.6, 0.6)}, "not decidable"),
    ],
)
def test_whether_three_clusters_are_best(runs: list[Run], values: dict[int, tuple[float, ...]], verdict: str) -> None:
    *_, claim = five(runs, values).tables
    assert column(claim, "verdict") == [verdict]


def test_how_much_is_hidden(runs: list[Run]) -> None:
    """Areas of 0.3, 0.3 and 0.4: a third of the image in three of four views, or in a quarter of the images."""
    table = tables_of(runs)[0]["hidden_share"].tables[0]
    shares = dict(zip(column(table, "scheme"), column(table, "hidden"), strict=True))
    assert shares["`perturb`"] == "25.0"
    assert shares["`perturb, views=SampledView, views.clean_share=0.75`"] == "8.3"


def test_what_a_setting_took(runs: list[Run]) -> None:
    table = tables_of(runs)[0]["budgets"].tables[0]
    assert column(table, "operations")[:2] == ["0.001", "0.003"]  # a TFLOP a phase
    assert column(table, "passes")[:2] == ["0.001", "0.001"]
    assert column(table, "epochs")[:2] == ["20", "20"]


def test_the_classes_of_prepared_data(runs: list[Run], tmp_path: Path) -> None:
    counts = {"train": {"angry": 30, "sad": 10}, "val": {"angry": 4, "sad": 1}, "test": {"angry": 2, "sad": 3}}
    (tmp_path / "fer2013").mkdir()
    manifest = {"counts": {split: {"classes": of} for split, of in counts.items()}}
    (tmp_path / "fer2013" / "manifest.json").write_text(json.dumps(manifest))
    run = tmp_path / "run"
    run.mkdir()
    config = (runs[0][0] / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("\n  data: data\n", f"\n  data: {tmp_path}\n"))
    assert str(tmp_path) in (run / "config.yaml").read_text()
    classes, paper = tables_of([(run, runs[0][1])])[0]["figure3"].tables
    assert classes.texts == [
        ["angry", "30", "4", "2", "72.0"],
        ["sad", "10", "1", "3", "28.0"],
        ["all", "40", "5", "5", "100.0"],
    ]
    assert ["the largest class in train", "7,000", "30"] in paper.texts
    assert ["all", "35,887", "50"] in paper.texts


def with_clusters(run: Run, folder: Path) -> Run:
    """A copy of a run whose network hides three bands, the top one twice as wide."""
    made = folder / run[0].name
    (made / "predictor").mkdir(parents=True)
    (made / "config.yaml").write_bytes((run[0] / "config.yaml").read_bytes())
    bands = np.repeat(np.array([0, 0, 1, 2], dtype=np.int8), 12)[:, None].repeat(48, axis=1)
    save_file({"region_state.cluster_map": bands}, made / "predictor" / "weights.safetensors")
    history = [
        {"epoch": epoch, "ari_position_only": 0.2 * epoch, "changed": 0.1 * epoch, "areas": [0.5, 0.25, 0.25]}
        for epoch in range(3)
    ]
    (made / "predictor" / "phase.json").write_text(json.dumps({"clusters": history}))
    return made, run[1]


def test_the_clusters_on_a_face_and_over_the_epochs(runs: list[Run], tmp_path: Path) -> None:
    found, _ = tables_of([with_clusters(run, tmp_path) for run in runs[3:6]])
    (face,) = found["figure4"].tables
    assert column(face, "area") == ["50.0", "25.0", "25.0"]
    assert column(face, "middle, down") == ["25", "62", "88"]
    (epochs,) = found["clusters"].tables
    assert epochs.texts[0][3:] == ["0, 1, 2", "3", "0.00", "0.40", "15.0", "25.0", "50.0"]
    write_exhibit(found["figure4"], tmp_path / "shown" / "figure4.md", "")
    assert (tmp_path / "shown" / "figure4.png").stat().st_size > 10_000


def test_a_damaged_file_breaks_nothing(runs: list[Run], tmp_path: Path) -> None:
    of = [with_clusters(run, tmp_path) for run in runs[3:6]]
    (of[0][0] / "predictor" / "weights.safetensors").write_bytes(b"{")
    (of[1][0] / "predictor" / "phase.json").write_bytes(b"{")
    (of[2][0] / "predictions").mkdir()
    (of[2][0] / "predictions" / "fer2013.parquet").write_bytes(b"no parquet")
    found, told = tables_of([*runs[:3], *of])
    assert {"controls", "clusters", "budgets", "table2"} <= set(found)
    assert [sentence.split(" of ")[0] for sentence in told] == ["feature_removal"]
