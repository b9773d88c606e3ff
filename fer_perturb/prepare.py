"""python -m fer_perturb.prepare: a dataset's pictures become packed arrays."""

from pathlib import Path

from omegaconf import DictConfig, ListConfig

from fer_perturb.cli import entry_point
from fer_perturb.errors import UserError


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
    from fer_perturb.data.shown import unplaced
    from fer_perturb.open_data import open_data

    dataset = config.dataset
    name = str(dataset.name)  # Hydra reads a name such as 2024 as a number
    root = Path(config.paths.data, name)
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
    source = Path(str(config.source)).expanduser()
    if dataset.kind == "maskfer":
        return prepare_released_maskfer(source, root).root
    if dataset.kind == "fer2013":
        if not isinstance(dataset.resize, bool):
            raise UserError(
                f"dataset.resize={dataset.resize} is not usable for dataset=fer2013. "
                f"Expected true (images of another size are brought to 48x48) or false."
            )
        return prepare_fer2013(source, root, resize=dataset.resize).root
    classes = _classes(config.classes)
    return prepare_folder(source, root, name, classes, resize=dataset.resize).root


def _classes(given: object) -> list[str]:
    """The names of the classes; Hydra reads a folder's name such as 1 as a number."""
    expected = "Expected the names of the class folders, in the order of their labels, such as 'classes=[calm,tense]'."
    if given is None:
        raise UserError(f"classes= is missing. {expected}")
    if not isinstance(given, ListConfig):
        raise UserError(f"classes={given} is no list. {expected}")
    return [str(name) for name in given]


def report(roots: list[Path], config: DictConfig) -> None:
    """Says where the packed data lie."""
    for root in roots:
        print(f"Ready: {root}")


main = entry_point("prepare", prepare, report)

if __name__ == "__main__":
    main()
