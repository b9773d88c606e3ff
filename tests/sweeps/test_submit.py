"""Jobs that are given to a cluster: Slurm by a stand-in for its commands, submitit's local executor in earnest."""

import os
import signal
import time
from pathlib import Path
from typing import Any, cast

import pyarrow.parquet as pq
import pytest
import torch
from commanding import Commands
from composing import composed, small, small_overrides
from faulty import write_faults
from forking import PATIENCE
from omegaconf import OmegaConf

from fer_perturb.checked import made
from fer_perturb.errors import UserError
from fer_perturb.files import write_json
from fer_perturb.locks import is_held, lock_at
from fer_perturb.sweeps.job import Job
from fer_perturb.sweeps.status import latest, standings
from fer_perturb.sweeps.submission import give, sent
from fer_perturb.sweeps.submitted import Sent, Submitted, all_submitted, new_folder, read_submitted
from fer_perturb.sweeps.task import LOCK, STATE, Places
from fer_perturb.train import train

TRAINER = {"accelerator": "cpu", "devices": 1}


def engine(*words: str) -> Any:
    return made(cast(dict[str, Any], OmegaConf.to_container(composed(*words, name="submit").engine)), "engine")


def a_sweep(outputs: Path, name: str, *jobs: Sent) -> Submitted:
    return Submitted(new_folder(outputs), name, ["-m", "seed=0"], outputs, list(jobs))


def job(number: int, *needs: int) -> Sent:
    return Sent(number, f"seed={number}", [f"seed={number}"], list(needs))


def note(sweep: Submitted, number: int, **noted: Any) -> None:
    sweep.folder_of(number).mkdir()
    write_json(sweep.folder_of(number) / STATE, noted)


@pytest.mark.slow
def test_a_job_that_is_signalled_is_requeued_and_ends_with_the_same_logits(
    commands: Commands, data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the signal that Slurm sends before the time is over, and where another job comes first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    write_faults(tmp_path, "hang")
    given = [word for word in small_overrides(data_directory, Path("outputs")) if word != "launcher=basic"]
    words = ["--config-dir=conf", *given, "callbacks=fault", "scheme=baseline", "engine=local"]
    shown = commands("submit", *words)
    assert (shown.status, shown.err) == (0, "")
    assert "0 done, 1 to be run" in shown.out
    assert "Submitted: 1." in shown.out
    (sweep,) = all_submitted(Path("outputs"))
    until(lambda: Path("seed0.pid").exists(), sweep)
    assert standings(sweep)[1].state == "running"
    again = commands("submit", *words)
    assert "1/1 running" in again.out
    assert "Submitted:" not in again.out

    Path("seed0").unlink()  # it hangs no more
    os.kill(sweep.state_of(sweep.jobs[0])["pid"], signal.SIGUSR2)
    until(lambda: sweep.state_of(sweep.jobs[0])["state"] == "done", sweep)
    noted = sweep.state_of(sweep.jobs[0])
    assert (noted["attempts"], noted["error"]) == (2, "")
    log = (sweep.folder_of(1) / "job.log").read_text()
    assert "Stopped (SIGTERM)" in log
    assert "hydra.mode=RUN" in log
    assert "engine" not in log
    (finished,) = Path("outputs").glob("synthetic/*/baseline/*/summary.json")
    assert finished.with_name("logs").joinpath("predictor", "version_1").is_dir()  # it went on

    status = commands("submit", "action=status", "paths.outputs=outputs")
    assert status.status == 0
    assert f"{sweep.folder.name} local: 1 done\n" in status.out
    assert "Its tables: python -m fer_perturb.train -m --config-dir=conf" in status.out
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    whole, _ = train(small(data_directory, tmp_path / "whole", "scheme=baseline")) or (Path(), {})
    torch.set_num_threads(threads)
    file = Path("predictions", "synthetic.parquet")
    assert pq.read_table(finished.parent / file).equals(pq.read_table(whole / file))


def until(there: Any, sweep: Submitted) -> None:
    deadline = time.monotonic() + PATIENCE
    while not there():
        logs = [file.read_text() for file in sweep.folder.rglob("*.out")]
        assert time.monotonic() < deadline, logs
        assert standings(sweep)[1].state in ("waiting", "running", "begins again", "done"), logs
        time.sleep(0.1)


def test_an_ensemble_needs_the_jobs_of_its_members() -> None:
    """Those among them that are submitted: the others are done."""
    members = frozenset(map(Path, "abc"))
    jobs = [Job(2, "a", [], Path("a")), Job(3, "b", [], Path("b")), Job(4, "mean", [], Path("mean"), members=members)]
    assert [one.needs for one in sent(jobs)] == [[], [], [2, 3]]


def test_a_machine_has_so_many_places(tmp_path: Path) -> None:
    places = Places(tmp_path, 2)
    with places.one() as first, places.one() as second:
        assert {first, second} == {0, 1}
        assert all(is_held(tmp_path / f"{number}.lock") for number in (0, 1))
    with places.one() as again:
        assert again == 0


SBATCH = """#!/bin/sh
cp "$1" {folder}/$(ls {folder} | wc -l).sh
echo "Submitted batch job $(ls {folder} | wc -l)"
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a stand-in for sbatch keeps what it is given, and notes nothing else."""
    scripts, programs = tmp_path / "scripts", tmp_path / "programs"
    for folder in (scripts, programs):
        folder.mkdir()
    for name, text in (("sbatch", SBATCH.format(folder=scripts)), ("srun", "#!/bin/sh\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return scripts


def test_slurm_gets_arrays_the_second_of_which_waits_for_what_it_needs(slurm: Path, tmp_path: Path) -> None:
    chosen = engine("engine.partition=gpu", "engine.time=90", "engine.memory=8", "+engine.sbatch.qos=short")
    sweep = a_sweep(tmp_path, "slurm", job(1), job(2), job(3), job(4, 1, 3))
    give(sweep, chosen, TRAINER)
    assert [one.known_as for one in read_submitted(sweep.folder).jobs] == ["1_0", "1_1", "1_2", "2"]
    first, second = (slurm.joinpath(f"{number}.sh").read_text() for number in range(2))
    told = ("partition=gpu", "time=90", "mem=8GB", "gpus-per-node=1", "cpus-per-task=4", "qos=short", "requeue")
    for line in (*told, "array=0-2%3", "signal=USR2@120", "open-mode=append"):
        assert f"#SBATCH --{line}\n" in first
    assert "dependency" not in first
    assert "#SBATCH --dependency=afterany:1_0:1_2\n" in second
    assert "--array" not in second


def test_what_sbatch_refuses_is_told_and_leaves_nothing(slurm: Path, tmp_path: Path) -> None:
    (slurm.parent / "programs" / "sbatch").write_text("#!/bin/sh\necho 'no such partition' >&2\nexit 1\n")
    sweep = a_sweep(tmp_path, "slurm", job(1))
    with pytest.raises(UserError, match=r"sbatch refuses the jobs: .*no such partition"):
        give(sweep, engine(), TRAINER)
    assert all_submitted(tmp_path) == []


def test_where_jobs_are(tmp_path: Path) -> None:
    sweep = a_sweep(tmp_path, "elsewhere", *map(job, range(1, 7))).known_as({n: str(n) for n in range(1, 6)})
    note(sweep, 1, state="done", seconds=90.0)
    note(sweep, 2, state="FAILED", error="RuntimeError: of memory")
    note(sweep, 3, state="running", host="node7", attempts=2)
    note(sweep, 4, state="running", host="node7", attempts=1)  # and killed: nobody holds its lock
    with lock_at(sweep.folder_of(3) / LOCK):
        found = standings(sweep)
    assert [(one.state, one.more) for one in found.values()] == [
        ("done", "in 90 s"),
        ("FAILED", "RuntimeError: of memory"),
        ("running", "on node7, begun 2 times"),
        ("lost", ""),
        ("waiting", ""),
        ("lost", "submit was interrupted before it"),
    ]


def test_what_the_engine_says_counts_where_a_job_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = a_sweep(tmp_path, "slurm", *map(job, range(1, 5))).known_as({n: f"7_{n}" for n in range(1, 5)})
    note(sweep, 1, state="running", host="node7", attempts=1)
    sacct = tmp_path / "sacct"
    sacct.write_text("#!/bin/sh\necho 'JobID|State|NodeList\n7_1|PENDING|\n7_2|CANCELLED by 0|\n7_[3-4]|PENDING|'\n")
    sacct.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert [(one.state, one.more) for one in standings(sweep).values()] == [
        ("begins again", "PENDING"),
        ("lost", "CANCELLED by 0"),
        ("waiting", "PENDING"),
        ("waiting", "PENDING"),
    ]


def test_what_was_submitted_again_is_told_once(tmp_path: Path) -> None:
    first, second = a_sweep(tmp_path, "slurm", job(1), job(2)), a_sweep(tmp_path, "slurm", job(2))
    assert [[one.number for one in sweep.jobs] for sweep in latest([first, second])] == [[1], [2]]
    assert latest([second, second]) == [second]
    for sweep in (first, second):
        sweep.write()
    assert all_submitted(tmp_path) == [first, second]


def test_what_cannot_be_done_is_told(
    commands: Commands, data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [word for word in small_overrides(data_directory, tmp_path) if word != "launcher=basic"]
    assert commands("submit", *given, "action=show").sentence == "action=show: expected submit or status."
    assert commands("submit", *given, "action=status").sentence.startswith("No sweep was submitted with paths.outputs")
    assert "leave out launcher=basic" in commands("submit", *given, "launcher=basic").sentence
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commands("submit", *given, "scheme=baseline").sentence.startswith("engine=slurm: there is no srun here.")
    shown = commands("submit", *given, "seed=0,1", "scheme=baseline", "sweep.dry_run=true", "engine.cpus=2")
    assert "0 done, 2 to be run" in shown.out
    assert "32 at a time, 2 cores, 1 GPU, 16 GB each." in shown.out
    assert not [path for path in (tmp_path / ".sweeps").iterdir() if path.is_dir()]
