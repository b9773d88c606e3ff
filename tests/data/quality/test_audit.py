import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import Progress
from small_fer2013 import EMOTIONS, FAULTS, pictures, textures, with_faults, write_zip

from fer_perturb.data.emotions import SPLITS
from fer_perturb.data.packed import RawSplit
from fer_perturb.data.quality.audit import Audit, audit, audit_table
from fer_perturb.data.quality.near_duplicates import best_correlation, describe, near_duplicates
from fer_perturb.data.readers.fer2013.reader import read_fer2013

QUIET = Progress(disable=True)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    source = write_zip(tmp_path_factory.mktemp("audit") / "a.zip", with_faults(pictures()))
    return audit(read_fer2013(source, resize=False, progress=QUIET).splits, EMOTIONS, QUIET)


def test_planted_duplicates_are_counted(found: Audit) -> None:
    assert found.images == 7 * 30 + FAULTS["added"]
    assert found.distinct == found.images - FAULTS["duplicate_images"] + FAULTS["duplicate_groups"]
    for name in (
        "duplicate_groups",
        "duplicate_images",
        "groups_across_splits",
        "conflicting_groups",
        "constant_images",
    ):
        assert getattr(found, name) == FAULTS[name], name
    for names, shared in found.across.items():
        assert (shared.groups, shared.images) == FAULTS[names], names
    assert found.counts["train"]["angry"] == 20 + 1
    assert found.counts["train"]["neutral"] == 20 + 1
    assert sum(found.counts["test"].values()) == 35 + 7


def test_planted_near_duplicates_are_counted(found: Audit) -> None:
    assert found.mirrored is not None
    assert found.shifted is not None
    assert (found.mirrored.pairs, found.mirrored.images) == (FAULTS["mirrored"], 2 * FAULTS["mirrored"])
    assert found.mirrored.across == {"train/val": 0, "train/test": FAULTS["mirrored"], "val/test": 0}
    assert (found.shifted.pairs, found.shifted.images) == (FAULTS["shifted"], 2 * FAULTS["shifted"])
    assert found.shifted.across == {"train/val": FAULTS["shifted"], "train/test": 0, "val/test": 0}


def test_an_audit_is_json_and_a_table(found: Audit) -> None:
    assert json.loads(json.dumps(found.to_dict()))["across"]["train/val"] == {"groups": 3, "images": 4}
    console = Console(record=True, width=100)
    console.print(audit_table(found))
    text = console.export_text()
    assert "images of val that also stand in train" in text
    assert "near-duplicate pairs, mirrored" in text
    assert "not looked for" not in text
    console.print(audit_table(replace(found, mirrored=None)))
    assert "not looked for" in console.export_text()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from(SPLITS)), max_size=20),
    st.integers(1, 3),
)
def test_counts_agree_with_counting_by_hand(rows: list[tuple[int, int, str]], width: int) -> None:
    rows = [*rows, *((9, 0, split) for split in SPLITS)]  # no split is empty
    splits = {}
    for split in SPLITS:
        here = [row for row in rows if row[2] == split]
        images = np.zeros((len(here), 2, width), np.uint8)
        images[:, 0, 0] = [row[0] for row in here]
        labels = np.array([row[1] for row in here], np.uint8)
        splits[split] = RawSplit(images, labels, [str(number) for number in range(len(here))])
    found = audit(splits, ("a", "b", "c"), QUIET)
    groups = {pixel: [row for row in rows if row[0] == pixel] for pixel in {row[0] for row in rows}}
    assert found.distinct == len(groups)
    assert found.duplicate_groups == sum(len(group) > 1 for group in groups.values())
    assert found.duplicate_images == sum(len(group) for group in groups.values() if len(group) > 1)
    assert found.conflicting_groups == sum(len({label for _, label, _ in group}) > 1 for group in groups.values())
    assert found.groups_across_splits == sum(len({split for *_, split in group}) > 1 for group in groups.values())
    assert found.constant_images == len(groups.get(0, []))  # with one pixel set to 0 all are
    for names, shared in found.across.items():
        a, b = names.split("/")
        both = [group for group in groups.values() if {a, b} <= {split for *_, split in group}]
        assert shared.groups == len(both)
        assert shared.images == sum(split == b for group in both for *_, split in group)


def test_near_duplicates_under_every_shift_mirrored_or_not() -> None:
    originals = textures(50, 3)
    rng = np.random.default_rng(0)
    shifts = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
    copies = []
    for number, (dy, dx) in enumerate(shifts + shifts):
        padded = np.pad(originals[number], 2, mode="edge")[2 + dy : 50 + dy, 2 + dx : 50 + dx]
        noisy = (padded * 0.8 + 20 + rng.normal(0, 3, (48, 48))).clip(0, 255).astype(np.uint8)
        copies.append(noisy[:, ::-1] if number >= 25 else noisy)
    found = near_duplicates(np.concatenate([originals, copies]), QUIET)
    assert found.shifted.tolist() == [[number, 50 + number] for number in range(25)]
    assert found.mirrored.tolist() == [[number, 50 + number] for number in range(25, 50)]


def test_without_faiss_the_same_are_found(request: pytest.FixtureRequest) -> None:
    originals = textures(50, 5)
    images = np.concatenate([originals, np.roll(originals[:30], (1, 2), axis=(1, 2)), originals[30:, :, ::-1]])
    with_it = near_duplicates(images, QUIET)
    request.getfixturevalue("no_faiss")
    without = near_duplicates(images, QUIET)
    assert len(with_it.shifted) == 30
    assert len(with_it.mirrored) == 20
    assert without.shifted.tolist() == with_it.shifted.tolist()
    assert without.mirrored.tolist() == with_it.mirrored.tolist()


def test_other_sizes_are_compared_too() -> None:
    originals = textures(6, 4, (100, 80))
    images = np.concatenate([originals, originals[2:3, :, ::-1]])
    found = near_duplicates(images, QUIET)
    assert found.mirrored.tolist() == [[2, 6]]
    assert found.shifted.tolist() == []


def test_flat_images_have_no_near_duplicates() -> None:
    flat = np.full((3, 48, 48), 100, np.uint8)
    flat[1:, 0, 0] = [101, 102]
    found = near_duplicates(flat, QUIET)
    assert found.shifted.tolist() == found.mirrored.tolist() == []


def test_correlation_agrees_with_numpy() -> None:
    a, b = textures(5, 6), textures(5, 7)
    best = np.full(5, -1.0)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            for row in range(5):
                one = a[row, max(0, dy) : 48 + min(0, dy), max(0, dx) : 48 + min(0, dx)]
                two = b[row, max(0, -dy) : 48 + min(0, -dy), max(0, -dx) : 48 + min(0, -dx)]
                best[row] = max(best[row], np.corrcoef(one.ravel(), two.ravel())[0, 1])
    np.testing.assert_allclose(best_correlation(a, b), best, atol=1e-4)


def test_the_description_is_blind_to_brightness_and_contrast() -> None:
    images = textures(5, 8) // 2
    np.testing.assert_allclose(describe(images), describe(images * 2 + 1), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(describe(images), axis=1), 1, atol=1e-5)


def test_the_audit_is_in_the_manifest(tmp_path: Path) -> None:
    from fer_perturb.data.packing import pack
    from fer_perturb.data.readers.fer2013.reader import Fer2013Reader

    source = write_zip(tmp_path / "a.zip", with_faults(pictures()))
    data = pack(source, tmp_path / "data" / "fer2013", Fer2013Reader())
    assert data.manifest["audit"]["duplicate_groups"] == FAULTS["duplicate_groups"]
