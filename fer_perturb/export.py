"""python -m fer_perturb.export: a trained run as one file that other programs read."""

from pathlib import Path

from omegaconf import DictConfig

from fer_perturb.command_line.entry_point import entry_point
from fer_perturb.errors import UserError


def export(config: DictConfig) -> list[Path]:
    """Writes the model that `config` (conf/export.yaml, composed) describes, and its card; the files."""
    if config.run is None:
        raise UserError("run= is missing: expected the directory of a finished run, run=outputs/…")
    # here, not above, so that --help is fast
    from fer_perturb.prediction.card import model_card
    from fer_perturb.prediction.export import write_model
    from fer_perturb.prediction.portable import portable

    run = portable(Path(str(config.run)))
    file = write_model(run, str(config.format), Path(config.out))
    return [file, model_card(run, file)]


def report(written: list[list[Path]], config: DictConfig) -> None:
    """Says where the model and its card lie."""
    for files in written:
        for file in files:
            print(f"Written to {file}")


main = entry_point("export", export, report)

if __name__ == "__main__":
    main()
