"""A run's directory alone judges new faces, and as it was tested; pictures of all kinds are read."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from commanding import Commands
from composing import small
from PIL import Image
from trained_once import SCHEMES, shares

import fer_perturb
from fer_perturb.command_line.entry_point import conf_directory
from fer_perturb.errors import UserError
from fer_perturb.prediction import finding
from fer_perturb.prediction.recogniser import Recogniser
from fer_perturb.train import train

ASTRONAUT = conf_directory().parent / "docs" / "astronaut.jpg"


@pytest.fixture(scope="module")
def recogniser(runs: dict[str, Path]) -> Recogniser:
    return fer_perturb.load(runs["image"])


@pytest.mark.parametrize("name", SCHEMES)
def test_it_says_what_the_run_said_in_its_test(runs: dict[str, Path], images: np.ndarray, name: str) -> None:
    run = runs[name]
    faces = fer_perturb.load(run).judge(images)
    rows = pq.read_table(run / "predictions" / "synthetic.parquet").to_pandas()
    summary = json.loads((run / "summary.json").read_text())
    rows = rows[(rows.split == "test") & (rows.tta == summary["tta"])]
    logits = [column for column in rows.columns if column.startswith("logit_")]

    def expected(inference: str, view: int) -> np.ndarray:
        values = rows[(rows.inference == inference) & (rows["view"] == view)][logits].to_numpy(np.float64)
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    np.testing.assert_allclose(shares(faces), expected(summary["inference"], -1), atol=1e-5)
    n = 0 if name == "baseline" else 4
    assert {len(face.views) for face in faces} == {n}
    for view in range(n):
        of_view = np.array([list(face.views[view].values()) for face in faces])
        np.testing.assert_allclose(of_view, expected("views", view), atol=1e-5)
        assert [face.votes[view] for face in faces] == [list(faces[0].views[0])[k] for k in of_view.argmax(axis=1)]


def test_its_maps_are_those_of_what_it_sees(runs: dict[str, Path], images: np.ndarray) -> None:
    for name, side in (("baseline", 48), ("batch", 40), ("image", 48)):
        face = fer_perturb.load(runs[name]).judge(images[:1])[0]
        assert face.image.shape == face.attention.shape == (side, side)
        margin = (48 - side) // 2
        inside = images[0, margin : margin + side, margin : margin + side]
        np.testing.assert_allclose(face.image, inside / 255, atol=1e-6)
        assert face.attention.std() > 0
        if name == "baseline":
            assert face.clusters is None
        else:
            assert set(np.unique(face.clusters)) <= {-1, 0, 1, 2}
            assert face.clusters.shape == (side, side)


def test_colour_rotation_and_size_do_not_matter(recogniser: Recogniser, images: np.ndarray, tmp_path: Path) -> None:
    (plain,) = recogniser(images[0], faces="whole")
    assert plain.box is None
    (coloured,) = recogniser(np.stack([images[0]] * 3, axis=-1), faces="whole")
    assert coloured.probabilities == plain.probabilities
    lying = Image.fromarray(images[0]).transpose(Image.Transpose.ROTATE_90)
    exif = lying.getexif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    lying.save(tmp_path / "lying.png", exif=exif)
    (turned,) = recogniser(tmp_path / "lying.png", faces="whole")
    assert turned.probabilities == plain.probabilities
    large = np.asarray(Image.fromarray(images[0]).resize((480, 480), Image.Resampling.NEAREST))
    (shrunk,) = recogniser(large, faces="whole")
    assert np.abs(shrunk.image - plain.image).mean() < 0.03
    with pytest.raises(UserError, match=r"expected uint8 \(H, W\)"):
        recogniser(images[0] / 255)


def test_several_faces_are_found_and_cut_out(recogniser: Recogniser) -> None:
    pytest.importorskip("cv2")
    one = np.asarray(Image.open(ASTRONAUT))
    small_one = np.asarray(Image.fromarray(one).resize((300, 300)))
    two = np.full((512, 812, 3), 128, dtype=np.uint8)
    two[:, :512], two[100:400, 512:] = one, small_one
    first, second = recogniser(two)
    assert first.box.width > second.box.width
    for face, left, top, scale in ((first, 0, 0, 1.0), (second, 512, 100, 300 / 512)):  # where she was put
        middle = face.box.left + face.box.width / 2 - left, face.box.top + face.box.height / 2 - top
        np.testing.assert_allclose(middle, (225 * scale, 115 * scale), atol=12)
    (alone,) = recogniser(ASTRONAUT)
    assert recogniser(ASTRONAUT, faces="whole")[0].probabilities != alone.probabilities
    assert recogniser(np.full((200, 200), 128, dtype=np.uint8)) == []
    huge = np.asarray(Image.fromarray(one).resize((2400, 2400)))  # looked through at half its size
    (of_huge,) = recogniser(huge)
    np.testing.assert_allclose(of_huge.box.width, alone.box.width * 2400 / 512, rtol=0.1)


@pytest.fixture
def folder(images: np.ndarray, tmp_path: Path) -> Path:
    """Seven faces, and among them what is none."""
    folder = tmp_path / "some faces=a,b"
    (folder / "more").mkdir(parents=True)
    for k in range(7):
        Image.fromarray(images[k]).save(folder / ("more" if k > 4 else "") / f"{k}.png")
    whole = (folder / "2.png").read_bytes()
    (folder / "2a.png").write_bytes(whole[: len(whole) // 2])
    (folder / "3a.jpg").write_text("no picture")
    (folder / "readme.txt").write_text("nobody's face")
    (folder / "._1.png").write_bytes(whole)
    return folder


def test_a_folder_in_batches(
    commands: Commands, runs: dict[str, Path], recogniser: Recogniser, images: np.ndarray, folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What is damaged gets a sentence, and the rest what each picture gets alone."""
    monkeypatch.setattr("fer_perturb.prediction.recogniser.EVALUATION_BATCH", 3)
    out = folder.parent / "out"
    out.mkdir()
    (out / "clusters.npy").write_text("of another time")
    shown = commands("predict", f"run={runs['image']}", f"image={folder}", "faces=whole", "drawn=2", f"out={out}")
    assert shown.status == 0, shown
    lines = [json.loads(line) for line in (out / "faces.jsonl").read_text().splitlines()]
    assert [Path(line["picture"]).name for line in lines] == [
        *("0.png", "1.png", "2.png", "2a.png", "3.png", "3a.jpg", "4.png", "5.png", "6.png"),
    ]
    told = " ".join(shown.out.split())
    assert "2a.png is truncated" in lines[3]["error"]
    assert lines[3]["error"] in told
    assert "3a.jpg is no picture" in lines[5]["error"]
    faces = [line for line in lines if "error" not in line]
    one_by_one = [recogniser(image, faces="whole")[0] for image in images[:7]]
    for line, face in zip(faces, one_by_one, strict=True):
        assert (line["box"], line["emotion"], line["votes"]) == (None, face.emotion, list(face.votes))
        assert list(line["probabilities"]) == list(face.probabilities)
        np.testing.assert_allclose(list(line["probabilities"].values()), list(face.probabilities.values()), atol=1e-5)
    clusters = np.load(out / "clusters.npy")
    np.testing.assert_array_equal(clusters, np.stack([face.clusters for face in one_by_one]))
    np.testing.assert_allclose(np.load(out / "attention.npy"), np.stack([f.attention for f in one_by_one]), atol=1e-5)
    rows = (out / "faces.csv").read_text().splitlines()
    assert len(rows) == 8
    assert rows[0].startswith("picture,face,emotion,angry")
    assert sorted(file.name for file in out.glob("*.png")) == ["001-0.png", "002-1.png"]
    assert "7 faces in 7 pictures" in shown.out


def test_what_cannot_be_judged_is_said(
    commands: Commands, runs: dict[str, Path], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = f"run={runs['baseline']}"
    (tmp_path / "empty").mkdir()
    for words, says in (
        ([run], "image= is missing"),
        (["image=x"], "run= is missing"),
        ([run, "image=nowhere.png"], "there is no such file"),
        ([run, f"image={tmp_path / 'empty'}"], "holds no picture"),
        ([run, f"image={folder / '3a.jpg'}", "faces=whole"], "is no picture"),
        ([run, f"image={folder}", "faces=all"], "expected haar (look for them) or whole"),
        ([f"run={tmp_path}", f"image={folder}"], "holds no summary.json"),
    ):
        assert says in commands("predict", *words, f"paths.outputs={tmp_path}").sentence
    finding._cascade.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", None)  # it is not installed
    assert "pip install 'fer_perturb[predict]'" in commands("predict", run, f"image={folder}").sentence
    finding._cascade.cache_clear()


def test_a_scheme_that_needs_more_than_a_picture(data_directory: Path, tmp_path: Path) -> None:
    given = ["recipe.epochs=1", "trainer.limit_train_batches=1"]
    run, _ = train(small(data_directory, tmp_path, *given, "scheme=landmarks"))
    with pytest.raises(UserError, match=r"its scheme \(landmarks\) hides by a face's landmarks"):
        fer_perturb.load(run)


def test_an_ensemble_names_its_members(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    summary = {"members": {"resnet": "0123abcd", "vgg16": "4567abcd"}}
    monkeypatch.setattr("fer_perturb.prediction.portable.read_summary", lambda run, key: summary)
    with pytest.raises(UserError, match=r"is a mean of runs \(resnet, vgg16\). Expected one of them"):
        fer_perturb.load(tmp_path)
