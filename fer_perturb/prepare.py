"""python -m fer_perturb.prepare: a dataset's pictures become packed arrays."""

import json
from pathlib import Path

from omegaconf import DictConfig

from fer_perturb.command_line.entry_point import entry_point
from fer_perturb.data.file_names import folder_name
from fer_perturb.errors import UserError


def prepare(config: DictConfig) -> Path:
    """Reads or makes, audits and packs what `config` (conf/prepare.yaml, composed) describes; where it lies."""
    # here, not above, so that --help is fast
    from fer_perturb.data.packing import make, pack
    from fer_perturb.data.variant import labels, unplaced
    from fer_perturb.experiment.dataset import from_config

    dataset = config.dataset
    name = folder_name(dataset.name)
    root = Path(config.paths.data, name)
    not_another(root, dataset.kind)
    labels(dataset)
    unplaced(dataset)
    if config.source is None and "maker" in dataset:
        return make(root, from_config(dataset, "maker"), kind=dataset.kind).root
    if config.source is None:
        raise UserError(
            f"source= is missing: expected where the pictures of {name} lie, for example "
            f"python -m fer_perturb.prepare dataset={dataset.kind} source=PATH"
        )
    if "reader" not in dataset:
        raise UserError(f"source={config.source}: dataset={dataset.kind} is made, not read. Leave source= out.")
    return pack(Path(str(config.source)), root, from_config(dataset, "reader"), kind=dataset.kind).root


def not_another(root: Path, kind: str) -> None:
    """UserError where data of another kind lie at `root`, which preparing this one would replace."""
    from fer_perturb.data.packed.commands import kind_of

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


def report(roots: list[Path], config: DictConfig) -> None:
    """Says where the packed data lie."""
    for root in roots:
        print(f"Ready: {root}")


main = entry_point("prepare", prepare, report)

if __name__ == "__main__":
    main()
