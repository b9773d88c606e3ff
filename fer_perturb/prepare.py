"""python -m fer_perturb.prepare: a dataset's pictures become packed arrays."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from fer_perturb.cli import entry_point
from fer_perturb.data.file_names import folder_name
from fer_perturb.errors import UserError

if TYPE_CHECKING:  # it takes long to import
    from fer_perturb.data.splitting import Splitting


def prepare(config: DictConfig) -> Path:
    """Reads, audits and packs what `config` (conf/prepare.yaml, composed) describes; where it lies."""
    # here, not above, so that --help is fast
    from fer_perturb.data.packed import load_packed
    from fer_perturb.data.prepare_dataset import (
        prepare_fer2013,
        prepare_folder,
        prepare_maskfer,
        prepare_released_maskfer,
    )
    from fer_perturb.data.shown import labels, unplaced
    from fer_perturb.experiment.open_data import open_data

    dataset = config.dataset
    name = folder_name(dataset.name)
    root = Path(config.paths.data, name)
    not_another(root, dataset.kind)
    if dataset.kind == "synthetic":
        return open_data(config).root
    if dataset.kind == "maskfer" and config.source is None:
        return prepare_maskfer(
            load_packed(Path(config.paths.data, str(dataset.of))), root, unplaced=unplaced(dataset)
        ).root
    if config.source is None:
        raise UserError(
            f"source= is missing: expected where the pictures of {name} lie, for example "
            f"python -m fer_perturb.prepare dataset={dataset.kind} source=PATH"
        )
    source = Path(str(config.source))
    if dataset.kind == "maskfer":
        return prepare_released_maskfer(source, root).root
    if dataset.kind == "fer2013":
        if not isinstance(dataset.resize, bool):
            raise UserError(
                f"dataset.resize={dataset.resize} is not usable for dataset=fer2013. "
                f"Expected true (images of another size are brought to 48x48) or false."
            )
        labels(dataset)
        votes = None if config.votes is None else Path(str(config.votes))
        return prepare_fer2013(source, root, resize=dataset.resize, votes=votes).root
    return prepare_folder(
        source, root, name, _classes(config.classes), resize=dataset.resize, splitting=_splitting(dataset)
    ).root


def not_another(root: Path, kind: str) -> None:
    """UserError where data of another kind lie at `root`, which preparing this one would replace."""
    from fer_perturb.data.commands import kind_of

    try:
        manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    there = kind_of(manifest)
    if there not in (None, kind):
        raise UserError(
            f"{root} holds data of dataset={there} ({manifest['source']['form']}), which dataset={kind} would replace. "
            f"Give another dataset.name, or remove that folder first."
        )


def _classes(given: object) -> list[str] | None:
    """The names of the classes; None: those of the folders."""
    if given is None:
        return None
    if not isinstance(given, ListConfig):
        raise UserError(
            f"classes={given} is no list. Expected the names of the class folders, in the order of their labels, such "
            "as 'classes=[calm,tense]'."
        )
    return [str(name) for name in given]


def _splitting(dataset: DictConfig) -> "Splitting":
    from fer_perturb.data.splitting import Splitting

    shares: Any = dataset.split
    if shares is not None and not (
        isinstance(shares, ListConfig) and len(shares) == 3 and all(isinstance(share, int | float) for share in shares)
    ):
        raise UserError(
            f"dataset.split={shares}: expected three shares, of train, val and test, such as [0.8,0.1,0.1]."
        )
    if not isinstance(dataset.val_share, int | float | None):
        raise UserError(f"dataset.val_share={dataset.val_share}: expected a share, such as 0.1.")
    if not isinstance(dataset.split_seed, int) or dataset.split_seed < 0:
        raise UserError(f"dataset.split_seed={dataset.split_seed}: expected a whole number, 0 or more.")
    group = None if dataset.group is None else str(dataset.group)
    return Splitting(dataset.val_share, tuple(shares) if shares else None, group, dataset.split_seed)


def report(roots: list[Path], config: DictConfig) -> None:
    """Says where the packed data lie."""
    for root in roots:
        print(f"Ready: {root}")


main = entry_point("prepare", prepare, report)

if __name__ == "__main__":
    main()
