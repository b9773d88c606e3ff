"""The parts that are there, and a sandbox of hard links to them for each command."""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from fuzz import parts
from fuzz.forked import NOBODY, Ended, Forks

SOURCES = ("zipped", "folder", "table", "packed_table", "faces", "unsplit", "listed", "released")
DATA = ("mine", "other", "drawn", "packed", "masked")
RUNS = ("finished", "cache", "interrupted")

CHAIN = (
    "dataset=folder",
    "dataset.name=mine",
    "model=resnet_tiny",
    "recipe=demo",
    "recipe.epochs=2",
    "recipe.batch_size=8",
    "recipe.scheduler.pct_start=0.5",
    "recipe.precision=32-true",
    "trainer.limit_train_batches=2",
    "logger=csv",
)
PLACES = ("paths.data={root}/data", "paths.outputs={root}/outputs")
QUIET = ("trainer.accelerator=cpu", "trainer.enable_progress_bar=false")
PERTURB = (*CHAIN, *PLACES, *QUIET, "scheme=perturb")
BASELINE = (*CHAIN, *PLACES, *QUIET, "scheme=baseline", "test_on=[other]")


class StopError(Exception):
    """Ends a training as a kill would."""


class World:
    """Parts under `base`/world, made when they are asked for; `root` is where commands find copies of them."""

    def __init__(self, base: Path, forks: Forks) -> None:
        self.base, self.forks = base, forks
        self.root = base / "sandbox"

    def named(self, text: str) -> str:
        """`text` with {root} and, for runs, {perturb} and {baseline}, their directories."""
        if "{" not in text:
            return text
        runs = {}
        for scheme in ("perturb", "baseline"):
            if f"{{{scheme}}}" in text:
                (run,) = self._part("finished").glob(f"outputs/mine/*/{scheme}/*")
                runs[scheme] = run.relative_to(self._part("finished")).as_posix()
        return text.format(root=self.root, **runs)

    def set_up(self, names: Iterable[str]) -> None:
        """A new sandbox with copies of these parts: hard links, as commands replace files and do not change them."""
        if self.root.is_symlink() or self.root.exists():
            shutil.rmtree(self.root)
        self.root.mkdir()
        for name in names:
            shutil.copytree(self._part(name), self.root, copy_function=os.link, dirs_exist_ok=True)

    def own(self, path: Path) -> None:
        """Makes a file of the sandbox a copy, which may be damaged."""
        if path.is_file():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)

    def give_away(self) -> None:
        """The sandbox to nobody, whom permissions bind."""
        if os.getuid() == 0:
            for folder, folders, names in os.walk(self.root):
                for name in (".", *folders, *names):
                    os.lchown(Path(folder, name), NOBODY, NOBODY)

    def _part(self, name: str) -> Path:
        path = self.base / "world" / name
        if not path.exists():
            temporary = self.base / f"making-{name}"
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            if name in SOURCES:
                self._made(temporary / "sources", name)
            elif name in DATA:
                self._made(temporary / "data", name)
            elif name == "finished":
                self.set_up(("mine", "other"))
                for words in (PERTURB, BASELINE):
                    _require(self.forks.command("train", tuple(map(self.named, words))))
                (self.root / "outputs").rename(temporary / "outputs")
            elif name == "cache":
                shutil.copytree(self._part("finished") / "outputs" / ".cache", temporary / "outputs" / ".cache")
            else:
                self.set_up(("mine", "other"))
                _require(self.forks.call(self._interrupt))
                (self.root / "outputs").rename(temporary / "outputs")
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.rename(path)
        return path

    def _made(self, folder: Path, name: str) -> None:
        folder.mkdir()
        _require(self.forks.call(lambda: getattr(parts, name)(folder)))

    def _interrupt(self) -> None:
        """A chain that stops in the last epoch of phase 3."""
        from fer_perturb import train
        from fer_perturb.tasks.phases.cluster_mask_callback import ClusterMaskCallback

        def stop(callback: object, trainer: object, *_: object) -> None:
            if trainer.current_epoch == 1:  # type: ignore[attr-defined]
                raise StopError

        ClusterMaskCallback.on_train_batch_end = stop  # type: ignore[method-assign]
        sys.argv[1:] = map(self.named, PERTURB)
        try:
            train.main()
        except StopError:
            return
        raise AssertionError("it was not interrupted")


def _require(ended: Ended) -> None:
    if ended.status != 0:
        raise RuntimeError(f"What is to be damaged could not be made:\n{ended.out}\n{ended.err}")
