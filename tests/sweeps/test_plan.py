"""What a sweep says before it starts, and in which order its jobs run."""

import signal
from pathlib import Path
from typing import Any

import pytest
from commanding import Commands
from composing import small, small_overrides

from fer_perturb.command_line.composed import Composed, flags
from fer_perturb.errors import UserError
from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.runs.phase_cache import RECORD
from fer_perturb.sweeps import plan
from fer_perturb.sweeps.job import Job
from fer_perturb.sweeps.processes import first_line_of
from fer_perturb.sweeps.show import spoken
from fer_perturb.sweeps.speed import Speeds
from fer_perturb.sweeps.sweep import gpus_for, next_of, threads_for, workers_for
from fer_perturb.train import train


def composed(data: Path, outputs: Path, *overrides: str) -> Composed:
    return Composed(small(data, outputs, *overrides), list(overrides), list(overrides))


def planned(jobs: list[Composed]) -> list[Job]:
    return plan.planned(jobs, Speeds(threads=1))


def test_a_dry_run_tells_and_starts_nothing(commands: Commands, data_directory: Path, tmp_path: Path) -> None:
    given = [word for word in small_overrides(data_directory, tmp_path) if word != "launcher=basic"]
    words = ("-m", *given, "scheme=baseline,perturb", "seed=0,1")
    shown = commands("train", *words, "sweep.dry_run=true")
    assert (shown.status, shown.err) == (0, "")
    assert "Sweep of 4 jobs: scheme (2) x seed (2)\n  scheme: baseline, perturb\n  seed: 0, 1\n" in shown.out
    assert "0 done, 4 to be run: " in shown.out
    assert not list(tmp_path.glob("synthetic/**/*.json"))


def test_of_one_run_it_is_refused(commands: Commands, data_directory: Path, tmp_path: Path) -> None:
    shown = commands("train", *small_overrides(data_directory, tmp_path), "sweep.dry_run=true")
    assert shown.sentence.startswith("sweep.dry_run=true is of sweeps")


def test_drawn_faces_are_not_asked_of_an_experiment_that_has_its_own_data(commands: Commands, tmp_path: Path) -> None:
    words = ("experiment=table1", "scale=smoke", "sweep.dry_run=true", f"paths.data={tmp_path}")
    told = commands("train", *words).sentence
    assert told.startswith("scale=smoke trains on drawn faces, and this experiment on data of its own (dataset=fer2013")
    shown = commands("train", *words, "dataset=fer2013").out  # whoever asks for them may have them
    assert shown.startswith("Sweep of 2 jobs: scheme (2)\n")


def test_a_phase_that_jobs_share_costs_once_and_finished_runs_cost_nothing(
    data_directory: Path, tmp_path: Path
) -> None:
    train(small(data_directory, tmp_path, "scheme=baseline"))
    choices = ("scheme=baseline", "scheme=perturb", "scheme=most_attended", "scheme=position_only", "seed=-1")
    jobs = planned([composed(data_directory, tmp_path, choice) for choice in choices])
    baseline, perturb, control, position, wrong = jobs
    assert baseline.summary is not None
    assert baseline.flops == 0
    assert perturb.phase_1 == control.phase_1 != position.phase_1 is None
    assert perturb.flops > control.flops > 0
    assert perturb.seconds > control.seconds
    assert wrong.failure.startswith("seed=-1")
    assert perturb.directory == open_experiment(small(data_directory, tmp_path, "scheme=perturb")).directory


def test_an_ensemble_is_finished_as_long_as_its_members_are(data_directory: Path, tmp_path: Path) -> None:
    def job(name: str) -> Composed:
        of = composed(data_directory, tmp_path, f"model={name}", "scheme=baseline")
        if name == "ensemble":
            of.config.model.members = {one: small(data_directory, tmp_path, f"model={one}").model for one in members}
        return of

    members = ("resnet_tiny", "seresnet_light")
    jobs = [job(name) for name in (*members, "ensemble")]
    before = planned(jobs)
    assert before[2].members == {before[0].directory, before[1].directory}
    for of in jobs:
        train(of.config)
    assert all(of.summary for of in planned(jobs))
    (before[1].directory / "summary.json").unlink()
    assert [of.summary is not None for of in planned(jobs)] == [True, False, False]


def a_job(name: str, *, members: tuple[str, ...] = (), phase_1: Path | None = None) -> Job:
    return Job(1, name, [], Path(name), members=frozenset(map(Path, members)), phase_1=phase_1)


def test_who_needs_what_others_make_waits_for_it(tmp_path: Path) -> None:
    first, second = a_job("first", phase_1=tmp_path), a_job("second", phase_1=tmp_path)
    alone, mean = a_job("alone"), a_job("mean", members=("first", "alone"))
    assert next_of([first, second, mean, alone], []) is first
    assert next_of([second, mean, alone], [first]) is alone
    assert next_of([second, mean], [first, alone]) is None
    (tmp_path / RECORD).touch()  # phase 1 is there
    assert next_of([second, mean], [first, alone]) is second
    assert next_of([mean], [second]) is mean  # whether they have succeeded it will see
    assert next_of([a_job("first")], [first]) is None


def test_shares_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert [threads_for(workers) for workers in (1, 2, 3, 9)] == [8, 4, 2, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads_for(1) == 3
    trainer = {"accelerator": "cuda", "devices": 1}
    on_cpu = {"accelerator": "cpu", "devices": 1}
    assert [workers_for(None, trainer, gpus) for gpus in (["0"], ["0", "1", "2"])] == [1, 3]
    assert [workers_for(asked, on_cpu, []) for asked in (None, 1, 5)] == [2, 1, 5]
    assert [workers_for(None, {**of, "devices": 2}, []) for of in (on_cpu, trainer)] == [1, 1]  # each takes several
    unfit: list[Any] = [-1, "two"]
    for wrong in unfit:
        with pytest.raises(UserError, match=r"launcher\.workers="):
            workers_for(wrong, trainer, [])
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert gpus_for(trainer) == ["0", "1"]
    assert gpus_for({**trainer, "devices": 2}) == gpus_for({**trainer, "accelerator": "cpu"}) == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5,3")
    assert gpus_for(trainer) == ["GPU-5", "3"]


@pytest.mark.parametrize(
    ("status", "log", "told"),
    [
        (-signal.SIGKILL, "", "Killed by SIGKILL (is there memory enough?)"),
        (-signal.SIGSEGV, "Fatal Python error", "Killed by SIGSEGV"),
        (2, "Phase 1\n\nError: the data are not there.\n", "the data are not there."),
        (3, "Phase 1\n", "Ended with exit status 3, without a word"),
        (
            1,
            'Traceback (most recent call last):\n  File "a"\nKeyError: 1\n\nDuring handling:\n\n'
            'Traceback (most recent call last):\n  File "b"\n    x\ntorch.OutOfMemoryError: CUDA\nmore\n',
            "torch.OutOfMemoryError: CUDA",
        ),
    ],
)
def test_why_a_job_has_failed(status: int, log: str, told: str) -> None:
    assert first_line_of(status, log) == told


def test_where_configs_lie_goes_along() -> None:
    assert flags(["-m", "-cd", "mine", "seed=0,1", "--config-name=other"]) == [
        "--config-dir=mine",
        "--config-name=other",
    ]


def test_durations() -> None:
    assert [spoken(seconds) for seconds in (5, 99, 600, 36_000)] == ["5 s", "99 s", "10 min", "10.0 h"]
