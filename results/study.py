"""python -m results.study: runs what docs/protocol.md plans and what is not yet in its csv, one run after another.

The same command again goes on where it was stopped, however it was. `--workers` runs several beside each other.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from fer_perturb.command_line.entry_point import conf_directory
from fer_perturb.data.ferplus.labels import CLASSES, plurality
from fer_perturb.data.packed import load_packed
from fer_perturb.errors import UserError, say, warn
from fer_perturb.experiment.experiment import resolved, run_directory
from fer_perturb.experiment.precision import device_type
from fer_perturb.runs.machine import processor
from fer_perturb.runs.run_directory import read_summary
from results.cost import Cost, cost_of
from results.plan import ARMS, ATTENTION, NETWORKS, PILOT, TEN, Run, plan
from results.record import (
    FERPLUS,
    FOREIGN,
    HIDDEN,
    IDENTITY,
    LABELS,
    READINGS,
    add_row,
    answers,
    phase_of,
    read_arrays,
    read_rows,
    scores_of,
    write_answers,
    write_arrays,
)

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Study:
    """Where the data lie, where runs go, and where what is kept of them goes; and further overrides of all runs."""

    data: Path = Path("data")
    outputs: Path = Path("outputs")
    to: Path = HERE
    overrides: Sequence[str] = field(default=())

    @property
    def csv(self) -> Path:
        return self.to / "confirm.csv"

    def answers_of(self, name: str) -> Path:
        return self.to / "logits" / f"{name}.npz"

    def rows(self) -> dict[tuple[str, ...], dict[str, str]]:
        """The rows that there are, by arm, network and seed."""
        return {tuple(row[key] for key in IDENTITY): row for row in read_rows(self.csv)}

    def has(self, run: Run) -> bool:
        return (run.arm, run.network, str(run.seed)) in self.rows()

    def words(self, run: Run) -> list[str]:
        """The overrides of a run, test sets and paths included.

        All runs of a network and a seed have the precision that the first of them had.
        """
        before = [row for (_, *block), row in self.rows().items() if block == [run.network, str(run.seed)]]
        precision = [f"recipe.precision={before[0]['precision']}"] if before else []
        tested = ",".join(self.test_sets.values())
        quiet = ["logger=csv", "trainer.enable_progress_bar=false"]
        return [*run.overrides(), *self.overrides, *precision, f"test_on=[{tested}]", *quiet, *self.paths]

    @property
    def paths(self) -> list[str]:
        return [f"paths.data={self.data}", f"paths.outputs={self.outputs}"]

    @cached_property
    def dataset(self) -> str:
        return str(composed(self.overrides).dataset.name)

    @cached_property
    def device(self) -> str:
        """The name of what the networks run on: a GPU, where `trainer.accelerator` finds one, or the processor."""
        on_gpu = device_type(composed(self.overrides).trainer.accelerator) == "cuda"
        return torch.cuda.get_device_name() if on_gpu else cpu()

    @property
    def test_sets(self) -> dict[str, str]:
        """What the runs are tested on besides whole faces, and the names of its predictions."""
        return {"maskfer": "maskfer"} | {feature: f"{self.dataset}+{feature}@1" for feature in HIDDEN}

    def directory(self, run: Run) -> Path:
        """Where a run lies, or will lie."""
        return run_directory(resolved(composed(self.words(run))))

    # running

    def go(self, run: Run) -> None:
        """Trains and tests a run, unless that is done, and keeps what it left."""
        self.train(run)
        if not run.hides:
            self.train(run.of("perturb"))  # whose views it is tested under
            self.call("evaluate", f"run={self.directory(run)}", f"views_from={self.directory(run.of('perturb'))}",
                      "trainer.enable_progress_bar=false", *self.paths)  # fmt: skip
        self.keep(run)

    def train(self, run: Run) -> None:
        try:
            read_summary(self.directory(run), "run")
        except UserError:  # not there yet, or damaged: the same command begins it, goes on with it or mends it
            self.call("train", *self.words(run))

    def call(self, entry: str, *words: str) -> None:
        """`python -m fer_perturb.<entry>` on one thread. Raises UserError where it fails; why, it has said itself."""
        given = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        command = [sys.executable, "-m", f"fer_perturb.{entry}", *words]
        if subprocess.run(command, env={**os.environ, **given}).returncode:
            raise UserError(f"fer_perturb.{entry} has failed, for the reason above: {' '.join(words)}")

    # keeping

    def keep(self, run: Run) -> None:
        """Writes what a finished run answered, then its row; for `perturb` those of its phase 1 too."""
        directory = self.directory(run)
        whole = directory / "predictions" / f"{self.dataset}.parquet"
        files = {"whole": whole}
        files |= {name: whole.with_name(f"{file}.parquet") for name, file in self.test_sets.items()}
        logits = {}
        for (name, file), reading in product(files.items(), READINGS):
            if (found := answers(file, reading, self.names)) is not None:
                logits[f"{name}.{reading}"] = found
        if not run.hides:
            other = self.directory(run.of("perturb"))
            views = whole.with_name(f"{self.dataset}+views_from@{other.parent.name}-{other.name}.parquet")
            under = answers(views, "views", self.names)
            assert under is not None
            logits[f"whole.{FOREIGN}"] = under
        if run.arm == "perturb":
            alone = answers(directory / "attention" / "predictions" / whole.name, "original", self.names)
            assert alone is not None
            self.write(run.of(ATTENTION), directory, {"whole.original": alone})
        self.write(run, directory, logits)

    def write(self, run: Run, directory: Path, logits: dict[str, Any]) -> None:
        write_answers(self.answers_of(run.name), logits)
        row = self.facts(run, directory) | scores_of(read_arrays(self.answers_of(run.name)), self.labels)
        if add_row(self.csv, row):
            say(f"Kept: {run.name}")

    def facts(self, run: Run, directory: Path) -> dict[str, Any]:
        """All of a run's row but its scores."""
        summary = read_summary(directory, "run")
        attention, predictor = phase_of(directory, "attention"), phase_of(directory, "predictor")
        judged = attention if run.arm == ATTENTION else predictor
        config = OmegaConf.load(directory / "config.yaml")
        return {
            "arm": run.arm,
            "network": run.network,
            "seed": run.seed,
            "recipe": config.recipe.name,
            "precision": summary["precision"],
            "device": self.device,
            "commit": judged["commit"],
            "config_hash": summary["config_hash"],
            "epochs": judged["epochs"],
            "best_epoch": judged["best_epoch"],
            "attention_seconds": round(attention.get("seconds", 0)),
            "attention_flops": attention.get("flops", 0),
            "predictor_seconds": 0 if run.arm == ATTENTION else round(predictor["seconds"]),
            "predictor_flops": 0 if run.arm == ATTENTION else predictor["flops"],
            "passes": judged["passes"],
            "public_accuracy": judged["val"]["accuracy"],
            "public_balanced_accuracy": judged["val"]["balanced_accuracy"],
        }

    @cached_property
    def names(self) -> list[str]:
        """Of the test images, in the order of the packed data."""
        return load_packed(self.data / self.dataset).splits["test"].names

    @cached_property
    def labels(self) -> dict[str, Any]:
        """Of the test images: FER2013's, and FER+'s plurality (-1: none, or contempt); written beside the csv."""
        path = self.to / "labels.npz"
        if not path.is_file():
            data = load_packed(self.data / self.dataset)
            test = data.splits["test"]
            place = np.array([data.classes.index(name) if name in data.classes else -1 for name in (*CLASSES, "")])
            voted = np.full(len(test), -1) if test.votes is None else place[plurality(test.votes)]
            write_arrays(path, {LABELS: test.labels.astype(np.int8), FERPLUS: voted.astype(np.int8)})
        return read_arrays(path)


def composed(overrides: Sequence[str]) -> DictConfig:
    """conf/train.yaml with overrides."""
    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        return compose("train", overrides=list(overrides))


def cpu() -> str:
    """The processor's name, and the widest instructions that torch uses of it."""
    amx = " AMX" if torch.cpu.get_capabilities().get("amx_bf16") else ""
    return f"{processor()} {torch.backends.cpu.get_cpu_capability()}{amx}"


def show(study: Study, runs: Sequence[Run]) -> None:
    """Prints the plan with its cost: operations in training, and hours at the speed of the rows that there are."""
    kept, total, blocks = study.rows(), Cost(), set[tuple[str, int]]()
    for run in runs:
        cost = cost_of(composed([*study.words(run), "trainer.accelerator=cpu"]), run.network, kept.values())
        if cost.attention and (run.network, run.seed) in blocks:
            cost = cost.without_attention()
        elif cost.attention:
            blocks.add((run.network, run.seed))
        state = "kept" if study.has(run) else f"{cost}"
        print(f"{run.name}: {state}\n    {' '.join(run.overrides())}")
        total += Cost() if study.has(run) else cost
    print(f"{len(runs)} runs, {sum(map(study.has, runs))} of them kept; to be run: {total}")


def one(study: Study, run: Run) -> None:
    """Trains, tests and keeps a run, and says so."""
    begun = {row["device"] for (_, *block), row in study.rows().items() if block == [run.network, str(run.seed)]}
    if begun - {study.device}:
        warn(f"{run.name}: other runs of this seed ran on {', '.join(sorted(begun))}; the tables will say so.")
    say(f"{run.name}: {' '.join(run.overrides())}")
    study.go(run)


def beside(study: Study, runs: Sequence[Run], workers: int) -> None:
    """Runs so many at once, each in processes of its own; `perturb` first, as others wait for its phase 1.

    Where some fail the others go on. Raises UserError that names those that failed.
    """
    failed = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        started = {pool.submit(one, study, run): run for run in sorted(runs, key=lambda run: run.arm != "perturb")}
        for ended in as_completed(started):
            if isinstance(ended.exception(), UserError):
                failed.append(started[ended].name)
            else:
                ended.result()
    if failed:
        raise UserError(f"{len(failed)} runs have failed, for the reasons above: {', '.join(sorted(failed))}")


def numbers(text: str) -> list[int]:
    """0-4,7 -> 0, 1, 2, 3, 4, 7."""
    parts = [part.partition("-") for part in text.split(",")]
    return [seed for first, _, last in parts for seed in range(int(first), int(last or first) + 1)]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m results.study", description=__doc__)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--seeds", type=numbers, default=list(TEN), help="0-9, or 0,3")
    parser.add_argument("--arms", nargs="+", default=list(ARMS))
    parser.add_argument("--data", type=Path, default=Path("data"), help="the packed data")
    parser.add_argument("--outputs", type=Path, default=Path("outputs"), help="where runs go")
    parser.add_argument("--to", type=Path, default=HERE, help="where confirm.csv and logits go")
    parser.add_argument("--workers", type=int, default=1, help="runs at once: a core each, or some twenty on a GPU")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and its cost")
    parser.add_argument("--override", action="append", default=[], help="of all runs; for trying, not for the study")
    given = parser.parse_args(arguments)
    tried = given.override or max(given.seeds) >= PILOT
    if tried and not given.dry_run and (given.to / "plan.py").is_file():
        raise UserError(
            f"Seeds from {PILOT} on and --override are no part of the study: name another folder with --to."
        )
    study = Study(given.data.resolve(), given.outputs.resolve(), given.to.resolve(), given.override)
    runs = plan(given.networks, given.seeds, given.arms)
    if given.dry_run:
        show(study, runs)
        return
    left = [run for run in runs if not study.has(run)]
    if given.workers == 1:
        for run in left:
            one(study, run)
    else:
        beside(study, left, given.workers)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on where this one was.")
