"""What a dataset comes from: a reader of pictures, or a maker of them, anyone's, named in conf/dataset by `_target_`.

A dataset of your own takes a function (or a class whose instances are called like it),

    def read_mine(source: Path, progress: Progress) -> Reading:
        arrays = numpy.load(source)
        splits = {
            split: RawSplit(arrays[f"{split}_images"], arrays[f"{split}_labels"], list(arrays[f"{split}_names"]))
            for split in ("train", "val", "test")
        }
        return Reading(("calm", "tense"), splits)

and a file conf/dataset/mine.yaml, here or in a folder that --config-dir names:

    name: mine # the packed data lie in data/mine
    kind: mine # the name of this file, for the commands that people are advised
    clean: false
    reader:
      _target_: my_package.read_mine
      _partial_: true # of a function; of a class, the other keys here are its arguments

Then `python -m fer_perturb.prepare dataset=mine source=PATH` reads, audits and packs it, and every other command takes
dataset=mine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from rich.progress import Progress

from fer_perturb.data.packed import RawSplit

VERSION = 1  # counts up when the same source would give other arrays or another audit


@dataclass(frozen=True, eq=False)
class Reading:
    """What a source held.

    classes: their names, in the order of the labels. splits: train, val and test, all images of one size. form: what it
    was, in words, for the manifest. left_out: how many files were left out, by reason.
    """

    classes: Sequence[str]
    splits: Mapping[str, RawSplit]
    form: str = "pictures"
    left_out: Mapping[str, int] = field(default_factory=dict)


class Reader(Protocol):
    """Reads what `source=` names."""

    def __call__(self, source: Path, progress: Progress) -> Reading:
        """The images at `source`; `progress` shows a bar. UserError says what is wrong with them, and where."""
        ...


@runtime_checkable
class RecordedReader(Protocol):
    """A reader whose settings stand in the manifest."""

    def settings(self, source: Path) -> dict[str, Any]:
        """What decides, beside `source`, what is read, as JSON takes it.

        With a `sha256` of all that is read in it, the same settings find again what was packed, and nothing is read.
        """
        ...


class Maker(Protocol):
    """Makes images of nothing, or of another dataset. In conf/dataset (`maker`) it does so on first use."""

    def settings(self, root: Path) -> dict[str, Any]:
        """What decides what is made for `root`, as JSON takes it; the same settings find it there again.

        UserError where nothing can be made.
        """
        ...

    def make(self, progress: Progress) -> Reading:
        """The images."""
        ...
