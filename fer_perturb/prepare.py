"""python -m fer_perturb.prepare: a dataset's pictures become packed arrays."""

from pathlib import Path

from omegaconf import DictConfig

from fer_perturb.cli import entry_point
from fer_perturb.errors import UserError


def prepare(config: DictConfig) -> Path:
    """Reads, audits and packs what `config` (conf/prepare.yaml, composed) describes; where it lies."""
    # here, not above, so that --help is fast
    from fer_perturb.data.prepare_dataset import prepare_fer2013, prepare_folder
    from fer_perturb.open_data import open_data

    dataset = config.dataset
    root = Path(config.paths.data, dataset.name)
    if dataset.kind == "synthetic":
        return open_data(config).root
    if config.source is None:
        raise UserError(
            f"source= is missing: expected where the pictures of {dataset.name} lie, for example "
            f"python -m fer_perturb.prepare dataset={dataset.kind} source=PATH"
        )
    source = Path(config.source).expanduser()
    if dataset.kind == "fer2013":
        return prepare_fer2013(source, root, resize=dataset.resize).root
    if config.classes is None:
        raise UserError("classes= is missing: expected the names of the class folders, such as classes=[calm,tense]")
    size = None if dataset.resize is None else (dataset.resize[0], dataset.resize[1])
    return prepare_folder(source, root, dataset.name, list(config.classes), resize=size).root


def report(roots: list[Path]) -> None:
    """Says where the packed data lie."""
    for root in roots:
        print(f"Ready: {root}")


main = entry_point("prepare", prepare, report)

if __name__ == "__main__":
    main()
