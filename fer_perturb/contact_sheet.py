"""python -m fer_perturb.contact_sheet: a picture of many faces of a dataset with their landmarks and masks."""

from pathlib import Path

from omegaconf import DictConfig

from fer_perturb.command_line.entry_point import entry_point


def contact_sheet(config: DictConfig) -> Path:
    """Draws what `config` (conf/contact_sheet.yaml, composed) describes; the picture's file."""
    # here, not above, so that --help is fast
    from fer_perturb.experiment.dataset import open_dataset
    from fer_perturb.report import contact_sheet as sheet
    from fer_perturb.report.figures import save_figure

    data = open_dataset(config)
    path = Path(config.paths.outputs, "contact_sheets", f"{data.name}-{config.split}.png")
    save_figure(sheet.contact_sheet(data, config.split, config.count, config.seed), path)
    return path


def report(pictures: list[Path], config: DictConfig) -> None:
    """Says where the picture lies."""
    for picture in pictures:
        print(f"Drawn: {picture}")


main = entry_point("contact_sheet", contact_sheet, report)

if __name__ == "__main__":
    main()
