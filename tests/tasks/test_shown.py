"""What wandb and TensorBoard show of a chain, read back with their own readers."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest
from commanding import Commands
from composing import small, small_overrides
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

from fer_perturb.data.emotions import EMOTIONS
from fer_perturb.errors import UserError
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.report import wandb_views
from fer_perturb.runs.phase_cache import content_key
from fer_perturb.tasks.training.loggers import phase_logger
from fer_perturb.tasks.training.wandb_logger import PhaseWandbLogger
from fer_perturb.train import train

pytestmark = pytest.mark.slow

PHASES = ("attention", "clustering", "predictor")
SCORES = {f"{of}/{key}" for of in ("val_tested", "test") for key in ("accuracy", "balanced_accuracy", "f1_macro")}
BOTH = {"test_original/accuracy", "test_views/accuracy"}
CLUSTERS = {f"clusters/{name}" for name in ("inertia", "ari_position_only", "area_0", "area_1", "area_2")}


class WandbRun:
    """What wandb's own reader finds in the files of an offline run."""

    def __init__(self, file: Path) -> None:
        wandb = Path(sys.executable).parent / "wandb"
        command = [wandb, "leet", "inspect", "--json", file]
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
        self.folder, self.config, self.run = file.parent, {}, {}
        self.history: list[dict[str, Any]] = []
        for record in map(json.loads, shown.stdout.splitlines()):
            found = record.get(record["type"], {})
            if record["type"] == "run":
                self.run |= found
            if record["type"] == "config":
                self.config |= found["update"]
            if record["type"] == "history":
                self.history.append(found["item"])
            if record["type"] == "exit":
                self.exit_code = found["exit_code"]

    def values(self, key: str) -> list[Any]:
        return [row[key] for row in self.history if key in row]

    def files(self, key: str) -> list[Path]:
        """Those of the pictures, or of the tables, that were shown under a name."""
        values = [{k.removeprefix(f"{key}."): row[k] for k in row if k.startswith(f"{key}.")} for row in self.history]
        names = [value.get("filenames", value.get("path")) for value in values if value]
        return [self.folder / "files" / name for of in names for name in (of if isinstance(of, list) else [of])]


class Events:
    """What TensorBoard's own reader finds in a phase's folder."""

    def __init__(self, folder: Path) -> None:
        self.read = EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0}).Reload()
        self.tags = self.read.Tags()

    def texts(self, name: str) -> list[str]:
        return [event.tensor_proto.string_val[0].decode() for event in self.read.Tensors(f"{name}/text_summary")]

    def hyperparameters(self, tag: str) -> plugin_data_pb2.HParamsPluginData:
        content = self.read.summary_metadata[tag].plugin_data.content
        return plugin_data_pb2.HParamsPluginData.FromString(content)


def chain(data: Path, outputs: Path, *words: str) -> tuple[Path, dict[str, Any]]:
    return train(small(data, outputs, "scheme=perturb", *words))


def wandb_runs(run: Path) -> dict[str, WandbRun]:
    """Those of a chain by their phases; of each phase one."""
    found = [WandbRun(file) for file in run.glob("logs/wandb/offline-run-*/*.wandb")]
    by_phase = {of.run["job_type"]: of for of in found}
    assert len(by_phase) == len(found)
    return by_phase


@pytest.fixture(scope="module")
def in_wandb(data_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, WandbRun]]:
    """A chain with pictures at each epoch, where WANDB_RUN_ID names a run, as launchers set it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_RUN_ID", "everybodys")
        patch.setattr("fer_perturb.experiment.experiment.sweep_of_this_job", lambda: "table9")
        outputs = tmp_path_factory.mktemp("wandb")
        run, _ = chain(data_directory, outputs, "logger=wandb", "logger.pictures_every_n_epochs=1")
    return run, wandb_runs(run)


@pytest.fixture(scope="module")
def in_tensorboard(data_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Events]]:
    outputs = tmp_path_factory.mktemp("tensorboard")
    run, _ = chain(data_directory, outputs, "logger=tensorboard", "logger.pictures_every_n_epochs=1")
    return run, {phase: Events(run / "logs" / phase) for phase in PHASES}


def test_wandb_has_a_run_for_each_phase_in_a_group_for_the_chain(in_wandb: tuple[Path, dict[str, WandbRun]]) -> None:
    run, runs = in_wandb
    assert set(runs) == set(PHASES)
    assert len({of.run["run_id"] for of in runs.values()} - {"everybodys"}) == 3
    for phase, of in runs.items():
        assert of.run["run_group"] == "/".join(run.parts[-4:])
        assert of.run["tags"] == ["synthetic", "resnet_tiny", "perturb", "seed0", "demo", phase, "table9"]
        assert of.exit_code == 0


def test_wandb_knows_settings_code_data_and_sweep(
    in_wandb: tuple[Path, dict[str, WandbRun]], data_directory: Path, tmp_path: Path
) -> None:
    run, runs = in_wandb
    data = open_experiment(small(data_directory, tmp_path)).data
    summary = json.loads((run / "summary.json").read_text())
    for phase, of in runs.items():
        assert of.config["scheme"]["regions"]["n_clusters"] == 3
        assert of.config["recipe"]["precision"] == "32-true"
        about = of.config["about"]
        assert (about["phase"], about["sweep"], about["run"]) == (phase, "table9", summary["config_hash"])
        assert (about["commit"], about["data"]) == (summary["commit"], content_key(data.identity))
        assert about["versions"]["torch"] == json.loads((run / "versions.json").read_text())["torch"]


def test_wandb_has_curves_scores_pictures_and_a_table(in_wandb: tuple[Path, dict[str, WandbRun]]) -> None:
    run, runs = in_wandb
    summary = json.loads((run / "summary.json").read_text())
    for phase, faces in (("attention", "attention"), ("predictor", "scheme")):
        of = runs[phase]
        for key in ("train/loss", "val/accuracy", "val/balanced_accuracy"):
            assert len(of.values(key)) == 2, key
        assert all(len(of.values(key)) == 1 for key in SCORES)
        assert of.values("test/accuracy") == [pytest.approx(summary["phases"][phase]["test"]["accuracy"])]
        assert len(of.files(faces)) == 3  # after each epoch, and at the end
        (confusion,) = of.files("confusion")
        assert np.array_equal(imread(confusion), imread(run / phase / "pictures" / "confusion.png"))
        (table,) = of.files("per_class")
        shown = json.loads(table.read_text())
        assert shown["columns"] == ["class", "accuracy", "f1", "support"]
        assert [row[0] for row in shown["data"]] == list(EMOTIONS)
        per_class = summary["phases"][phase]["test"]["per_class"]
        assert [row[3] for row in shown["data"]] == [per_class[name]["support"] for name in EMOTIONS]
        steps = [row["trainer/global_step"] for row in of.history]
        assert steps == sorted(steps)
    assert all(len(runs["predictor"].values(key)) == 2 for key in CLUSTERS)
    assert all(len(runs["clustering"].values(key)) == 1 for key in CLUSTERS)
    assert all(len(runs["predictor"].values(key)) == 1 for key in BOTH)


def test_tensorboard_shows_the_same(in_tensorboard: tuple[Path, dict[str, Events]]) -> None:
    run, phases = in_tensorboard
    summary = json.loads((run / "summary.json").read_text())
    for phase, faces in (("attention", "attention"), ("predictor", "scheme")):
        of = phases[phase]
        assert SCORES | {"train/loss", "val/accuracy"} <= set(of.tags["scalars"])
        (accuracy,) = of.read.Scalars("test/accuracy")
        assert accuracy.value == pytest.approx(summary["phases"][phase]["test"]["accuracy"])
        assert [event.step for event in of.read.Images(faces)] == [2, 5, 5]
        assert len(of.read.Images("confusion")) == 1
        (table,) = of.texts("per_class")
        assert len(table.splitlines()) == 2 + len(EMOTIONS)
        assert "n_clusters: 3" in of.texts("settings")[0]
        start = of.hyperparameters(metadata.SESSION_START_INFO_TAG).session_start_info.hparams
        assert start["scheme"].string_value == "perturb"
        assert of.hyperparameters(metadata.SESSION_END_INFO_TAG).session_end_info.status == api_pb2.STATUS_SUCCESS
    assert set(phases["predictor"].tags["scalars"]) >= CLUSTERS
    assert set(phases["clustering"].tags["scalars"]) >= CLUSTERS


def test_what_is_shown_changes_nothing(
    in_wandb: tuple[Path, dict[str, WandbRun]],
    in_tensorboard: tuple[Path, dict[str, Events]],
    data_directory: Path,
    tmp_path: Path,
) -> None:
    unseen, _ = chain(data_directory, tmp_path)
    expected = pq.read_table(unseen / "predictions" / "synthetic.parquet")
    for run, _ in (in_wandb, in_tensorboard):
        assert run.name == unseen.name
        assert pq.read_table(run / "predictions" / "synthetic.parquet").equals(expected)


def keys_of(spec: Any) -> dict[str, set[str]]:
    """What the panels and filters of a serialised workspace or report name: metrics, pictures, keys of the config."""
    found: dict[str, set[str]] = {"metrics": set(), "pictures": set(), "regexes": set(), "config": set()}

    def visit(value: Any) -> None:
        if isinstance(value, list):
            for one in value:
                visit(one)
        if not isinstance(value, dict):
            return
        found["metrics"] |= {*value.get("metrics", [])}
        found["pictures"] |= {*value.get("mediaKeys", [])}
        found["regexes"] |= {of for key in ("metricRegex",) if (of := value.get(key))}
        found["config"] |= {of for key in ("groupBy",) if (of := value.get(key))}
        if value.get("section") == "config":
            found["config"].add(value["name"])
        for key in ("xAxis", "yAxis", "accessor"):
            section, _, name = str(value.get(key, "")).rpartition(":")
            found["config" if section == "config" else "metrics"] |= {name} - {"", "_step"}
        for one in value.values():
            visit(one)

    visit(spec)
    return found


@pytest.mark.parametrize("view", ["workspace", "report"])
def test_every_panel_at_wandb_shows_what_runs_have(view: str, in_wandb: tuple[Path, dict[str, WandbRun]]) -> None:
    """Drawn faces of this few have no image of some emotions, whose accuracy is then not logged."""
    made = getattr(wandb_views, view)("fer_perturb", "somebody")._to_model()
    used = keys_of(json.loads(made.spec.model_dump_json(by_alias=True, exclude_none=True)))
    predictor = in_wandb[1]["predictor"]
    logged = {key for row in predictor.history for key in row} | {f"test_by_class/{name}" for name in EMOTIONS}
    assert len(used["metrics"]) > 15
    assert used["metrics"] <= logged
    assert used["pictures"] == {"scheme", "confusion"}
    assert all(predictor.files(name) for name in used["pictures"])
    (regex,) = used["regexes"]
    assert {key for key in logged if re.fullmatch(regex, key)} == {f"clusters/area_{label}" for label in range(3)}
    for key in used["config"]:
        value: Any = predictor.config
        first, of, *others = key.split(".")  # wandb's "value" stands behind the first part of a nested key
        assert of == "value"
        for part in (first, *others):
            value = value[part]


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize(
    "words",
    [
        ["scheme=perturb_image", "scheme/attention=own_gates", "model.attention.at=[stage1]", "scheme/views=sample"],
        ["scheme=landmarks"],
        ["scheme=baseline"],
    ],
    ids=" ".join,
)
def test_every_kind_of_scheme_shows_what_it_has(words: list[str], data_directory: Path, tmp_path: Path) -> None:
    run, _ = train(small(data_directory, tmp_path, *words, "logger=tensorboard", "logger.pictures_every_n_epochs=2"))
    images = Events(run / "logs" / "predictor").tags["images"]
    assert images == (["confusion"] if words == ["scheme=baseline"] else ["scheme", "confusion"])


def test_no_faces_are_shown_where_none_are_wanted(data_directory: Path, tmp_path: Path, pictures: None) -> None:
    words = ("scheme=landmarks", "logger=tensorboard", "logger.pictures_every_n_epochs=0")
    run, _ = train(small(data_directory, tmp_path, *words))
    assert Events(run / "logs" / "predictor").tags["images"] == ["confusion"]
    assert (run / "predictor" / "pictures" / "scheme.png").exists()


def test_a_failed_phase_is_marked_in_tensorboard(data_directory: Path, tmp_path: Path) -> None:
    experiment = open_experiment(small(data_directory, tmp_path, "logger=tensorboard"))
    with pytest.raises(RuntimeError, match="the power failed"), phase_logger(experiment, "predictor"):
        raise RuntimeError("the power failed")
    of = Events(experiment.directory / "logs" / "predictor")
    assert of.hyperparameters(metadata.SESSION_END_INFO_TAG).session_end_info.status == api_pb2.STATUS_FAILURE
    assert of.texts("status") == ["failed"]


def test_without_tensorboard_one_is_told(data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("lightning_fabric.loggers.tensorboard", "pytorch_lightning.loggers.tensorboard"):
        monkeypatch.setattr(f"{module}._TENSORBOARD_AVAILABLE", False)
        monkeypatch.setattr(f"{module}._TENSORBOARDX_AVAILABLE", False, raising=False)
    experiment = open_experiment(small(data_directory, tmp_path, "logger=tensorboard"))
    with pytest.raises(UserError, match=r"pip install 'fer_perturb\[tensorboard\]'"), phase_logger(experiment, "a"):
        pass


class Online(PhaseWandbLogger):
    """As if it were online: artifacts are noted, and not sent."""

    used: ClassVar[list[tuple[str, str]]] = []
    made: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.online = True
        self.experiment.use_artifact = lambda of: self.used.append((of.name, of.digest))
        self.experiment.log_artifact = lambda of: self.made.append((of.name, of.digest))


def test_online_the_weights_are_artifacts_with_their_lineage(data_directory: Path, tmp_path: Path) -> None:
    """The predictor is made from phase 1, also where an earlier chain has trained that."""
    words = ("logger=wandb", "logger.mode=disabled", f"logger._target_={__name__}.Online")
    _, first = chain(data_directory, tmp_path, *words)
    _, second = chain(data_directory, tmp_path, *words, "scheme.regions.n_clusters=2")
    attention, predictor, other = Online.made
    assert [name for name, _ in Online.made] == [
        f"attention-{first['phases']['attention']['key']}",
        f"predictor-{first['phases']['predictor']['key']}",
        f"predictor-{second['phases']['predictor']['key']}",
    ]
    assert Online.used == [attention, attention]
    assert predictor[1] != other[1]


def test_a_phase_that_is_done_needs_wandb_no_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(artifact: Any) -> None:
        raise ConnectionError("the network has gone")

    settings = {"project": "faces", "mode": "disabled", "pictures_every_n_epochs": 0}
    logger = Online(save_dir=tmp_path / "logs", name="predictor", **settings)
    logger.experiment.use_artifact = fail
    (tmp_path / "weights").write_bytes(b"1")
    logger.weights("predictor-1", tmp_path / "weights", {"attention-1": tmp_path / "weights"})
    assert "wandb does not have the weights predictor-1: the network has gone." in capsys.readouterr().out


def test_the_sweep_is_the_experiment_of_the_command_line(
    commands: Commands, data_directory: Path, tmp_path: Path
) -> None:
    words = small_overrides(data_directory, tmp_path)
    own = ("experiment=demo", "dataset.name=synthetic", "scheme=baseline", "logger=tensorboard")
    assert commands("train", *words, *own).status == 0
    (folder,) = tmp_path.rglob("logs/predictor")
    assert "sweep: demo" in Events(folder).texts("settings")[0]
